#!/usr/bin/env python3
"""Measures the stack frames of an SBPFv3 program and fails if one is larger than 4 KB.

usage: frames.py PROGRAM.so [LIMIT]      (prints the deepest frame in bytes)

A frame is the 4096 bytes below r10, and the caller's frame lies right beneath it: a function that reaches
further down silently overwrites its caller's variables. The compiler only warns, so this looks at what
the finished program does: every load and store relative to r10, and every address computed from it.

A caller passes arguments beyond the fifth through the lowest bytes of the callee's frame, by stores above its
own r10, and always by r10 itself: another register that held an address in the frame may hold a quite different one
where branches meet. Nobody but loads may touch the bytes that the program uses for this, so they count as taken in
every frame.
"""
import struct
import sys

FRAME = 4096
R10 = 10
LOADS = {0x61, 0x69, 0x71, 0x79}
STORES = {0x62: 4, 0x6A: 2, 0x72: 1, 0x7A: 8, 0x63: 4, 0x6B: 2, 0x73: 1, 0x7B: 8}
LDDW, MOV64, ADD64_IMM, SUB64_IMM, CALL = 0x18, 0xBF, 0x07, 0x17, 0x85


def text(elf):
    """The executable segment: its bytes and its address in the file."""
    if elf[:6] != b"\x7fELF\x02\x01":
        sys.exit("frames: not a little-endian 64-bit ELF file")
    (version,) = struct.unpack_from("<I", elf, 0x30)
    if version != 3:
        sys.exit(f"frames: expected SBPFv3, found version {version}")
    (offset,) = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    for i in range(count):
        kind, flags, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + i * size)
        if kind == 1 and flags & 1:
            return elf[start : start + length], start
    sys.exit("frames: no executable segment")


def measure(code):
    """Per function (by the index of its first instruction), the deepest access; and the size of the arguments area."""
    starts, accesses, arguments = {0}, [], 0
    derived = {}  # register -> its distance from r10, while known
    pc, count = 0, len(code) // 8
    while pc < count:
        opcode, registers, offset, immediate = struct.unpack_from("<BBhi", code, pc * 8)
        target, source = registers & 15, registers >> 4
        base = {**derived, R10: 0}
        written = None
        if opcode in LOADS:
            if source in base:
                accesses.append((pc, base[source] + offset, True))
            written = target
        elif opcode in STORES:
            if target in base:
                distance = base[target] + offset
                accesses.append((pc, distance, False))
                if distance >= 0 and target == R10:
                    arguments = max(arguments, distance + STORES[opcode])
        elif opcode == MOV64 and source in base:
            derived[target] = base[source]
        elif opcode in (ADD64_IMM, SUB64_IMM) and target in base:
            moved = base[target] + (immediate if opcode == ADD64_IMM else -immediate)
            accesses.append((pc, moved, False))
            if target != R10:
                derived[target] = moved
        elif opcode == LDDW:
            written, pc = target, pc + 1
        elif opcode == CALL:
            if source == 1:
                starts.add(pc + 1 + immediate)
            derived = {register: d for register, d in derived.items() if register > 5}
        elif opcode & 7 in (4, 7):
            written = target
        if written is not None:
            derived.pop(written, None)
        pc += 1

    frames, ordered, current = {}, sorted(starts), 0
    for pc, distance, is_load in accesses:
        while current + 1 < len(ordered) and ordered[current + 1] <= pc:
            current += 1
        if is_load and -FRAME <= distance < arguments - FRAME:
            continue  # an argument of this function
        frames[ordered[current]] = max(frames.get(ordered[current], 0), -distance)
    return frames, arguments


def main():
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else FRAME
    code, start = text(open(sys.argv[1], "rb").read())
    frames, arguments = measure(code)
    allowed = limit - arguments
    large = {function: depth for function, depth in frames.items() if depth > allowed}
    for function, depth in sorted(large.items()):
        print(
            f"frames: the function at {start + function * 8:#x} uses {depth} bytes of stack;"
            f" allowed are {limit} less {arguments} for stack arguments",
            file=sys.stderr,
        )
    print(max(frames.values(), default=0))
    sys.exit(1 if large else 0)


main()
