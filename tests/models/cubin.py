"""Reads the instructions of compiled CUDA kernels: what cuobjdump would tell, where there is none."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile

# The low 12 bits of an instruction of Hopper and Ampere.
TENSOR_CORE = {0x23C: "HMMA", 0x237: "IMMA", 0x9F0: "HGMMA", 0x9F1: "IGMMA", 0x9F3: "QGMMA"}
LOCAL_MEMORY = {0x983: "LDL", 0x387: "STL"}
# Arithmetic with one register in bits 24 to 31 and another in bits 32 to 39.
ARITHMETIC = {0x23E: "F2FP", 0x220: "FMUL", 0x221: "FADD", 0x223: "FFMA", 0x245: "I2FP", 0x210: "IADD3"}
EARLY_READ = "early read"
INSTRUCTION_BYTES = 16


def sections(elf):
    """Names and contents."""
    (at,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, at + i * size) for i in range(count)]
    text = headers[names][4]
    for name, kind, _, _, offset, length in headers:
        start = text + name
        yield elf[start : elf.index(b"\0", start)].decode(), b"" if kind == 8 else elf[offset : offset + length]


def reads_early(words):
    """Whether sums of wgmma are read before the wait for the last multiplication."""
    multiplications = [i for i, (low, _) in enumerate(words) if TENSOR_CORE.get(low & 0xFFF, "").endswith("GMMA")]
    if not multiplications:
        return False
    low, _ = words[multiplications[-1]]
    first = low >> 16 & 0xFF
    # HGMMA and QGMMA tell how many columns they have in units of 8; IGMMA has at least 32.
    count = ((low >> 53 & 0x3F) + 1) * 4 if TENSOR_CORE[low & 0xFFF] != "IGMMA" else 16
    for low, high in words[multiplications[-1] + 1 :]:
        if low & 0xFFF == 0x9C5 and low >> 47 & 1 and high >> 8 & 0xFF == 0:  # WARPGROUP.DEPBAR of all groups
            return False
        if low & 0x1FF in {code & 0x1FF for code in ARITHMETIC} and any(first <= low >> at & 0xFF < first + count for at in (24, 32)):
            return True
    return True


def instructions(elf):
    """By kernel, the names of its tensor-core and local-memory instructions; EARLY_READ if it reads what tensor cores still compute."""
    known = {**TENSOR_CORE, **LOCAL_MEMORY}
    found = {}
    for name, content in sections(elf):
        if name.startswith(".text."):
            words = list(struct.iter_unpack("<QQ", content[: len(content) // INSTRUCTION_BYTES * INSTRUCTION_BYTES]))
            names = {known[low & 0xFFF] for low, _ in words if low & 0xFFF in known}
            found[name.removeprefix(".text.")] = names | ({EARLY_READ} if reads_early(words) else set())
    return found


def find_ptxas():
    places = [os.environ.get("CUDA_HOME", "/usr/local/cuda") + "/bin", os.environ.get("PATH", "")]
    return shutil.which("ptxas", path=os.pathsep.join(places))


def kernels_of(artifact, variant, folder):
    """The instructions of every kernel of a variant. PTX is assembled for compute capability 8.0 by ptxas."""
    with tarfile.open(artifact) as tar:
        code = tar.extractfile(f"{variant}/code.bin").read()
    found = {}
    if not variant.endswith("ptx"):
        starts = [match.start() for match in re.finditer(b"\x7fELF", code)]
        for start, end in zip(starts, [*starts[1:], len(code)]):
            found.update(instructions(code[start:end]))
        return found
    for number, text in enumerate(part for part in code.split(b"\0") if part.strip()):
        source, cubin = pathlib.Path(folder) / f"{number}.ptx", pathlib.Path(folder) / f"{number}.cubin"
        source.write_bytes(text)
        subprocess.run([find_ptxas(), "-arch", "sm_80", source, "-o", cubin], check=True)
        found.update(instructions(cubin.read_bytes()))
    return found
