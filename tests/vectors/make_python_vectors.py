"""Writes what Python prints for floats, strings and JSON documents, for the tests of `src/check/chain`.

Run with any Python 3 from this directory; the output does not change from run to run.
"""

import json
import random
import struct
from decimal import Decimal

rng = random.Random(20260501)


def double(bits):
    return struct.unpack(">d", struct.pack(">Q", bits))[0]


def bits(value):
    return struct.pack(">d", value).hex()


def floats():
    values = [0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 2.5, 1e-4, 9.999e-5, 1e-05, 1.5e-07, 1e15, 1e16, 123456789012345.6,
              9007199254740992.0, 9007199254740993.0, 9999999999999998.0, 1e22, 1e23, 5e-324, 2.2250738585072014e-308,
              2.225073858507201e-308, 1.7976931348623157e308, 0.3, 0.1 + 0.2, 1 / 3, 2 / 3, 100.0, 1234.5,
              4.35, 0.000123, 299792458.0, 6.02214076e23, 1.616255e-35, 9.5367431640625e-07]
    values += [10.0 ** e for e in range(-25, 26)]
    values += [2.0 ** e for e in range(-1074, 1024, 17)]
    # Halfway between two candidates of the shortest length, where printers differ.
    values += [889352423878804.25, 608367144891427.25, 74306608138034.125, 830311931469868.25, 5e22 + 2**23]
    values += [(rng.getrandbits(49) | 1 << 48) + rng.choice([0.25, 0.75]) for _ in range(12)]
    values += [(rng.getrandbits(46) | 1 << 45) + rng.choice([0.125, 0.375, 0.625, 0.875]) for _ in range(12)]
    values += [2.0 ** e for e in (-44, -24, -1022, 53, 54, 63, 64, 89, 90, 122)]
    values += [double(rng.getrandbits(63)) for _ in range(60)]
    values += [round(rng.uniform(-10, 10), rng.randint(1, 9)) for _ in range(60)]
    values += [rng.uniform(0, 1e-3) for _ in range(30)]
    return [v for v in values if v == v and abs(v) != float("inf")] + [float("inf"), float("-inf")]


def strings():
    texts = ["", "plain", "déjà vu ☕ 🚀 \"quoted\" \\ back\tslash\n", "</script>", "a/b", "\u2028\u2029", "\ufeff",
             "\ud7ff\ue000\uffff\U00010000\U0010ffff", "日本語", "\x7f", "\x00"]
    texts += ["".join(map(chr, range(start, start + 16))) for start in range(0, 0x110, 16)]
    pool = [chr(c) for c in range(0x20)] + list("\"\\/ az~\x7f\x80é☕🚀\uffff\U0010ffff")
    texts += ["".join(rng.choices(pool, k=12)) for _ in range(20)]
    return texts


def jsonb(value):
    """As Postgres prints a jsonb: keys by length and bytes, numbers without exponents."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda m: (len(m[0].encode()), m[0].encode()))
        return "{" + ", ".join(f"{jsonb(k)}: {jsonb(v)}" for k, v in members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonb, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False)


def number():
    return rng.choice([
        lambda: rng.randint(-1000, 1000),
        lambda: rng.getrandbits(200) - (1 << 199),
        lambda: Decimal(rng.randint(-10**9, 10**9)).scaleb(-rng.randint(1, 25)),
        lambda: Decimal(rng.getrandbits(80)).scaleb(-3),
        lambda: Decimal("1.0"),
        lambda: Decimal("1.500"),
    ])()


def document(depth):
    kind = rng.random()
    if depth and kind < 0.4:
        return {key(): document(depth - 1) for _ in range(rng.randint(0, 5))}
    if depth and kind < 0.6:
        return [document(depth - 1) for _ in range(rng.randint(0, 4))]
    return rng.choice([None, True, False, key(), number(), number()])


def key():
    return "".join(rng.choices("aAbZz_0 !\"\\\n\t\x01\x7fé☕\uffff🚀", k=rng.randint(0, 3)))


def write(name, rows):
    with open(name, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


with open("python_floats.txt", "w", encoding="ascii") as file:
    file.write("# the bits of a double, and what json.dumps prints for it\n")
    file.writelines(f"{bits(v)} {json.dumps(v)}\n" for v in floats())

write("python_strings.json",
      [{"text": t, "ascii": json.dumps(t), "raw": json.dumps(t, ensure_ascii=False)} for t in strings()])

texts = [jsonb(document(4)) for _ in range(120)]
texts += ["{}", "[]", "null", '""', "{\"a\": 0.00001}", "1" + "0" * 400 + ".5", "-1" + "0" * 400 + ".5", "1" * 400,
          "0." + "0" * 400 + "1", "[1e-05, 1E5, 1.5e-07, 1e400]"]
write("python_canonical.json", [
    {"jsonb": t, "canonical": json.dumps(json.loads(t), sort_keys=True, separators=(",", ":"), ensure_ascii=False)}
    for t in dict.fromkeys(texts)
])
