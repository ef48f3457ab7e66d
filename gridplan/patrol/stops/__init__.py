"""Stop patrols: visits with windows, spacing and breaks, as pure numbers."""
