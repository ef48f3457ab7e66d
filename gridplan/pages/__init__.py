"""What goes on paper: a typeface, pages, maps drawn as vectors, workbooks."""
