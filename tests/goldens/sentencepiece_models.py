"""SentencePiece model files from tokens and scores, without protobuf. For the make_*_goldens.py beside it."""
import struct

UNIGRAM, BPE = 1, 2


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, (bytes, str)):
        data = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(data)) + data
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(int(value))


def model(kind, tokens, scores, types, charsmap=b"", remove_extra=False, add_prefix=True):
    """The bytes of a .model file: numbers of the fields as in sentencepiece_model.proto."""
    out = b""
    for t, s, k in zip(tokens, scores, types):
        out += field(1, field(1, t) + field(2, float(s)) + field(3, int(k)))
    out += field(2, field(3, kind) + field(35, 6 in types))
    out += field(3, field(1, "") + field(2, charsmap) + field(3, add_prefix) + field(4, remove_extra) + field(5, True))
    return out


def parse(data):
    """(number, value) of each field: an integer, a float or bytes."""
    at = 0

    def take():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    while at < len(data):
        key = take()
        if key & 7 == 2:
            size = take()
            yield key >> 3, data[at:at + size]
            at += size
        elif key & 7 == 5:
            yield key >> 3, struct.unpack("<f", data[at:at + 4])[0]
            at += 4
        else:
            yield key >> 3, take()


def read(data):
    """The tokens, scores, types and charsmap of a .model file."""
    tokens, scores, types, charsmap = [], [], [], b""
    for number, value in parse(data):
        if number == 1:
            piece = dict(parse(value))
            tokens.append(piece[1].decode())
            scores.append(piece.get(2, 0.0))
            types.append(piece.get(3, 1))
        if number == 3:
            charsmap = dict(parse(value)).get(2, b"")
    return tokens, scores, types, charsmap
