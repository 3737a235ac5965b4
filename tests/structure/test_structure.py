"""Rules about the tree and the built libraries that no compiler checks."""
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INTAGLIO_BUILD", ROOT / "build/release"))
INTAGLIO = os.environ.get("INTAGLIO", str(BUILD / "bin/intaglio"))

# folder: folders that its files may include, besides itself (docs/architecture.md)
ALLOWED = {
    "include/intaglio": set(),
    "src/support": {"include/intaglio"},
    "runtime/host": {"include/intaglio", "src/support"},
    "ir": {"include/intaglio", "src/support", "runtime/host"},
    "frontend": {"include/intaglio", "src/support", "ir"},
    "passes": {"include/intaglio", "src/support", "ir"},
    "codegen": {"include/intaglio", "src/support", "ir"},
    "runtime": {"include/intaglio", "src/support"},
    "src/driver": {"include/intaglio", "src/support", "ir", "frontend", "passes", "codegen"},
    "tools": {"include/intaglio", "src/support", "src/driver", "ir", "frontend", "passes"},
    "tools/microbench": {"include/intaglio", "src/support", "runtime", "tools"},
}


def folder_of(path):
    """The longest folder of the table that holds a path relative to the root."""
    fitting = [folder for folder in ALLOWED if path.startswith(folder + "/")]
    return max(fitting, key=len, default=None)


def resolve(include):
    for base in ("", "include/", "src/"):
        if (ROOT / (base + include)).exists():
            return base + include
    return None  # a library's, or generated


def test_includes_follow_the_data():
    seen, wrong = 0, []
    for folder in {name.split("/")[0] for name in ALLOWED}:
        for path in [*(ROOT / folder).rglob("*.h"), *(ROOT / folder).rglob("*.hpp"), *(ROOT / folder).rglob("*.cpp")]:
            name = str(path.relative_to(ROOT))
            here = folder_of(name)
            for include in re.findall(r'^#include "(.+)"', path.read_text(), re.MULTILINE):
                target = resolve(include)
                there = folder_of(target) if target else None
                if there is None:
                    continue
                seen += 1
                if there != here and there not in ALLOWED[here]:
                    wrong.append(f"{name} includes {target}")
    assert seen > 100
    assert not wrong


def test_runtime_is_small_and_needs_no_compiler(tmp_path):
    library = BUILD / "lib/libintaglio_runtime.so"
    stripped = tmp_path / "runtime.so"
    shutil.copy(library, stripped)
    subprocess.run(["strip", stripped], check=True)
    assert stripped.stat().st_size < 3 << 20
    needed = subprocess.run(["ldd", library], check=True, capture_output=True, text=True).stdout
    assert "libc.so" in needed
    assert not re.search("LLVM|protobuf|archive", needed)


BAD_INPUTS = [
    (["compile", "{tmp}/missing.onnx", "-o", "{tmp}/out.tar"], 4, "cannot open the model"),
    (["compile", "{tmp}/text.onnx", "-o", "{tmp}/out.tar"], 3, "error: "),
    (["compile", "{model}", "-o", "{tmp}/no/such/folder/out.tar", "-O0"], 4, "cannot be written"),
    (["compile", "{model}", "--no-such-flag", "-o", "{tmp}/out.tar"], 2, "no-such-flag"),
    (["compile", "{model}", "--cpu", "pentium-pro-max", "-o", "{tmp}/out.tar"], 2, "no CPU"),
    (["compile", "{model}", "--shapes", "wrong:1x3x224x224", "-o", "{tmp}/out.tar"], 3, "'wrong'"),
    (["run", "{tmp}/missing.tar"], 4, "cannot be opened"),
    (["run", "{tmp}/text.onnx"], 3, "no Intaglio artifact"),
    (["opt", "{tmp}/text.onnx", "--passes=no_such_pass"], 2, "no_such_pass"),
]


@pytest.mark.parametrize("arguments, code, message", BAD_INPUTS, ids=lambda value: str(value)[:40])
def test_bad_input_gets_a_sentence_and_leaves_nothing_behind(arguments, code, message, tmp_path):
    (tmp_path / "text.onnx").write_text("this is neither a model nor an artifact\n" * 50)
    before = sorted(tmp_path.iterdir())
    values = {"tmp": tmp_path, "model": ROOT / "models/resnet50-cifar10.onnx"}
    done = subprocess.run([BUILD / "bin/intaglio", *(argument.format(**values) for argument in arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_truncated_models_and_artifacts_are_refused(tmp_path):
    intaglio = BUILD / "bin/intaglio"
    model = (ROOT / "models/resnet50-cifar10.onnx").read_bytes()
    artifact = tmp_path / "model.tar"
    subprocess.run([intaglio, "compile", ROOT / "models/resnet50-cifar10.onnx", "-o", artifact, "--progress", "none"], check=True)
    whole = artifact.read_bytes()
    cut = tmp_path / "cut"
    for content, command in ((model, ["compile", cut, "-o", tmp_path / "out.tar"]), (whole, ["run", cut])):
        for share in (0, 0.001, 0.5, 0.99):
            cut.write_bytes(content[: int(len(content) * share)])
            done = subprocess.run([intaglio, *command], capture_output=True, text=True)
            assert done.returncode == 3, (command, share, done.stderr)
            assert done.stderr.startswith(("error: ", "importing")), done.stderr
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize("cpu, quantize", [("x86-64-v3", None), ("x86-64-v4", None), ("x86-64-v3", "int8"), ("znver4", "int8")])
def test_inner_loops_of_microkernels_do_not_spill(cpu, quantize, tmp_path):
    command = [BUILD / "bin/intaglio", "compile", ROOT / "models/resnet50-cifar10.onnx", "--cpu", cpu, "--emit", "asm"]
    if quantize:
        np.savez(tmp_path / "noise.npz", image=np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32))
        command += ["--quantize", quantize, "--calibrate", tmp_path / "noise.npz"]
    instruction = "vfmadd" if not quantize else "vpdpbusd" if cpu == "znver4" else "vpmaddwd"
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    begin, hot = {}, 0
    for number, line in enumerate(lines):
        if label := re.match(r"(\.LBB\d+_\d+):", line):
            begin[label.group(1)] = number
        jump = re.match(r"\s+j\w+\s+(\.LBB\d+_\d+)", line)
        if not jump or jump.group(1) not in begin:
            continue
        body = lines[begin[jump.group(1)] + 1 : number]
        innermost = not any(re.match(r"\.LBB", inside) for inside in body)
        if not innermost or sum(instruction in inside for inside in body) < 8:
            continue
        hot += 1
        # A vector that goes to or comes from the stack.
        spills = [inside for inside in body if re.search(r"[xyz]mm\d", inside) and "(%rsp)" in inside]
        assert not spills, spills
    assert hot >= 20


def models():
    """The model of this repository, and those that scripts/models.sh exported where INTAGLIO_MODELS names their folder."""
    exported = os.environ.get("INTAGLIO_MODELS")
    return [ROOT / "models/resnet50-cifar10.onnx", *sorted(pathlib.Path(exported).glob("*.onnx"))] if exported else [ROOT / "models/resnet50-cifar10.onnx"]


@pytest.mark.parametrize("level", ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("model", models(), ids=lambda path: path.stem)
def test_generated_code_wants_nothing_from_elsewhere(model, level, tmp_path):
    artifact = tmp_path / "model.tar"
    subprocess.run([INTAGLIO, "compile", model, "--cpu", level, "-o", artifact, "--progress", "none"], check=True)
    with tarfile.open(artifact) as archive:
        code = next(name for name in archive.getnames() if name.endswith("/code.so"))
        (tmp_path / "code.so").write_bytes(archive.extractfile(code).read())
    symbols = subprocess.run(["nm", "--dynamic", tmp_path / "code.so"], check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(symbols) > 5  # the kernels
    assert not [line for line in symbols if " U " in line or " w " in line]
