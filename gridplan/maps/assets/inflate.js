// Unpacking for browsers that cannot do it themselves: the DEFLATE format of RFC 1951.

function Bits(bytes, start) { this.bytes = bytes; this.at = start; this.held = 0; this.count = 0; }

Bits.prototype.take = function (many) {
  while (this.count < many) {
    this.held |= this.bytes[this.at++] << this.count;
    this.count += 8;
  }
  var value = this.held & ((1 << many) - 1);
  this.held >>>= many;
  this.count -= many;
  return value;
};

// A canonical prefix code: how many codes there are of each length, and their symbols in order.
function Code(lengths) {
  this.many = new Uint16Array(16);
  this.symbols = new Uint16Array(lengths.length);
  var next = new Uint16Array(16), i;
  for (i = 0; i < lengths.length; i++) if (lengths[i]) this.many[lengths[i]]++;
  for (i = 1; i < 15; i++) next[i + 1] = next[i] + this.many[i];
  for (i = 0; i < lengths.length; i++) if (lengths[i]) this.symbols[next[lengths[i]]++] = i;
}

Code.prototype.read = function (bits) {
  var code = 0, first = 0, index = 0;
  for (var length = 1; length < 16; length++) {
    code |= bits.take(1);
    var many = this.many[length];
    if (code - first < many) return this.symbols[index + code - first];
    index += many;
    first = (first + many) << 1;
    code <<= 1;
  }
  throw new Error("damaged");
};

// Lengths and distances: a base and some extra bits, which grow every `group` symbols.
function ranges(start, group, count) {
  var base = [], extra = [], at = start;
  for (var i = 0; i < count; i++) {
    extra.push(Math.max(0, Math.floor(i / group) - 1));
    base.push(at);
    at += 1 << extra[i];
  }
  return { base: base, extra: extra };
}

var LENGTHS = ranges(3, 4, 28), DISTANCES = ranges(1, 2, 30);
LENGTHS.base.push(258);
LENGTHS.extra.push(0);
var LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

function fixedCodes() {
  var literal = [], distance = [], i;
  for (i = 0; i < 288; i++) literal.push(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
  for (i = 0; i < 30; i++) distance.push(5);
  return [new Code(literal), new Code(distance)];
}

function dynamicCodes(bits) {
  var literals = bits.take(5) + 257, distances = bits.take(5) + 1, coded = bits.take(4) + 4;
  var lengths = new Uint8Array(19), all = [], i;
  for (i = 0; i < coded; i++) lengths[LENGTH_ORDER[i]] = bits.take(3);
  var code = new Code(lengths);
  while (all.length < literals + distances) {
    var symbol = code.read(bits), value = 0, repeat = 1;
    if (symbol < 16) value = symbol;
    else if (symbol === 16) { value = all[all.length - 1]; repeat = 3 + bits.take(2); }
    else repeat = symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    while (repeat--) all.push(value);
  }
  return [new Code(all.slice(0, literals)), new Code(all.slice(literals))];
}

// Unpack a gzip member without optional header fields; its last four bytes say how long it gets.
function gunzip(bytes) {
  var n = bytes.length, size = (bytes[n - 4] | bytes[n - 3] << 8 | bytes[n - 2] << 16 | bytes[n - 1] << 24) >>> 0;
  var out = new Uint8Array(size), at = 0, bits = new Bits(bytes, 10), last, kind;
  do {
    last = bits.take(1);
    kind = bits.take(2);
    if (kind === 0) {
      bits.held = bits.count = 0;
      var length = bits.bytes[bits.at] | bits.bytes[bits.at + 1] << 8;
      out.set(bytes.subarray(bits.at + 4, bits.at + 4 + length), at);
      bits.at += 4 + length;
      at += length;
      continue;
    }
    var codes = kind === 1 ? fixedCodes() : dynamicCodes(bits), symbol;
    while ((symbol = codes[0].read(bits)) !== 256) {
      if (symbol < 256) { out[at++] = symbol; continue; }
      var many = LENGTHS.base[symbol - 257] + bits.take(LENGTHS.extra[symbol - 257]);
      var far = codes[1].read(bits), from = at - DISTANCES.base[far] - bits.take(DISTANCES.extra[far]);
      while (many--) out[at++] = out[from++];
    }
  } while (!last);
  return out;
}
