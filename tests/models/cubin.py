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


def instructions(elf):
    """By kernel, the names of its tensor-core and local-memory instructions."""
    known = {**TENSOR_CORE, **LOCAL_MEMORY}
    return {
        name.removeprefix(".text."): {known[code] for i in range(0, len(content), INSTRUCTION_BYTES) if (code := struct.unpack_from("<Q", content, i)[0] & 0xFFF) in known}
        for name, content in sections(elf)
        if name.startswith(".text.")
    }


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
