"""Every way to be wrong on the command line ends with its exit code, a sentence that names the culprit, and nothing half-written."""
import os
import pathlib
import random
import subprocess

import numpy
import onnx
import pytest
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTAGLIO = pathlib.Path(os.environ.get("INTAGLIO_BUILD", ROOT / "build/release")) / "bin/intaglio"

IR = """graph @g(%x: f32[N,4]) -> f32[N,4] {
  %0 = relu(%x) : f32[N,4]
  return %0
}
"""


def save_model(path, nodes=None, opset=17):
    """relu(x * w), or other nodes from x to y."""
    random_state = numpy.random.default_rng(1)
    weights = onnx.numpy_helper.from_array(random_state.standard_normal((4, 3)).astype(numpy.float32), "w")
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["product"], "product"), helper.make_node("Relu", ["product"], ["y"], "relu")]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """What the cases name: a model, its artifact, and inputs and files that fit or do not."""
    folder = tmp_path_factory.mktemp("files")
    save_model(folder / "model.onnx")
    subprocess.run([INTAGLIO, "compile", folder / "model.onnx", "-o", folder / "model.tar", "--progress", "none"], check=True)
    x = numpy.ones((2, 4), numpy.float32)
    numpy.save(folder / "x.npy", x)
    numpy.save(folder / "f64.npy", x.astype(numpy.float64))
    numpy.save(folder / "wide.npy", numpy.ones((2, 5), numpy.float32))
    numpy.save(folder / "cube.npy", numpy.ones((2, 4, 1), numpy.float32))
    numpy.save(folder / "complex.npy", x.astype(numpy.complex64))
    numpy.savez(folder / "other_name.npz", z=x)
    subprocess.run([INTAGLIO, "run", folder / "model.tar", "--input", folder / "x.npy", "--output", folder / "y.npz"], check=True)
    numpy.savez(folder / "samples.npz", x=x, labels=[0, 1])
    numpy.savez(folder / "f64.npz", x=x.astype(numpy.float64))
    numpy.savez(folder / "wide.npz", x=numpy.ones((2, 5), numpy.float32))
    numpy.savez(folder / "no_samples.npz", x=x[:0])
    numpy.savez(folder / "no_arrays.npz")
    numpy.savez(folder / "nan.npz", x=numpy.full((2, 4), numpy.nan, numpy.float32))
    y = numpy.load(folder / "y.npz")["y"]
    numpy.savez(folder / "other_y.npz", y=y + 1)
    numpy.savez(folder / "other_shape.npz", y=y[:1])
    numpy.savez(folder / "other_output.npz", z=y)
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:-1])
    huge = (folder / "x.npy").read_bytes().replace(b"(2, 4), }       ", b"(2000000000, 4),}")
    assert len(huge) == (folder / "x.npy").stat().st_size + 1
    (folder / "huge.npy").write_bytes(huge)
    (folder / "text.txt").write_text("this is neither a model nor an array\n" * 50)
    (folder / "empty").write_bytes(b"")
    (folder / "graph.ir").write_text(IR)
    (folder / "wrong.ir").write_text(IR.replace("relu", "no_such_operator"))
    (folder / "folder").mkdir()
    return folder


def call(files, arguments, **options):
    return subprocess.run([INTAGLIO, *(argument.format(f=files) for argument in arguments)], capture_output=True, text=True, timeout=120, **options)


QUANTIZE = ["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--quantize"]
BENCH = ["bench", "{f}/model.tar", "--duration", "0", "--warmup", "0", "--iterations", "1"]

RIGHT = [
    ["compile", "{f}/model.onnx", "-o", "/dev/null"],
    ["compile", "{f}/model.onnx", "--emit", "kernels"],
    ["compile", "{f}/model.onnx", "--target", "cuda", "--disable-tactic", "wgmma", "--emit", "kernels"],
    ["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{f}/y.npz"],
    ["run", "{f}/model.tar", "--input", "x={f}/x.npy", "--expect", "{f}/other_y.npz", "--atol", "2"],
    ["run", "{f}/model.tar", "--shapes", "x:7x4", "--print-top", "2"],
    BENCH,
    ["compile", "{f}/model.onnx", "-o", "/dev/null", "--quantize", "int8", "--calibrate", "{f}/samples.npz", "--calibrate-method", "entropy"],
    ["compile", "{f}/model.onnx", "-o", "/dev/null", "--quantize", "fp8", "--calibrate", "{f}/samples.npz", "--precision", "fp16"],
    ["compile", "{f}/model.onnx", "-o", "/dev/null", "--quantize", "int4"],
    ["inspect", "{f}/model.onnx"],
    ["inspect", "{f}/model.tar", "--layers"],
    ["opt", "{f}/graph.ir", "--passes=eliminate_dead"],
    ["run", "--help"],
    ["--version"],
]


@pytest.mark.parametrize("arguments", RIGHT, ids=" ".join)
def test_what_is_right_ends_with_0(arguments, files):
    done = call(files, arguments)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


# (arguments, exit code, what the message holds)
WRONG = [
    # 1: the results differ
    (["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{f}/other_y.npz"], 1, "6 of 6 elements differ"),
    (["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{f}/other_shape.npz"], 1, "y: expected f32[1,3], got f32[2,3]"),
    # 2: unknown flags and bad values
    ([], 2, "subcommand"),
    (["no-such-command"], 2, "no-such-command"),
    (["compile"], 2, "model"),
    (["compile", "{f}/model.onnx"], 2, "no output is named"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "-O7"], 2, "7"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--target", "tpu"], 2, "tpu"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--emit", "poetry"], 2, "poetry"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--disable-pass", "no_such_pass"], 2, "no pass is named 'no_such_pass'"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--print-after", "no_such_pass"], 2, "no pass is named 'no_such_pass'"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--disable-pass", "fuse_kernels"], 2, "code is generated for the groups that fuse_kernels makes"),
    ([*QUANTIZE, "int4", "--disable-pass", "insert_quantization"], 2, "--quantize asks for what the pass does"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--disable-tactic", "luck"], 2, "luck"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--enable-tactic", "luck"], 2, "luck"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--enable-tactic", "cublaslt"], 2, "cuBLASLt is a library of GPUs"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--shapes", "x"], 2, "this is no list of input shapes"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--shapes", "x:2x-4"], 2, "this is no list of input shapes"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--shapes", "x[2,4"], 2, "this is no list of input shapes"),
    ([*QUANTIZE, "int3"], 2, "int3"),
    ([*QUANTIZE, "int8"], 2, "the ranges of activations come from samples, and none are given"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/samples.npz", "--calibrate-method", "luck"], 2, "luck"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--calibrate", "{f}/samples.npz"], 2, "samples serve --quantize, which is not asked for"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/samples.npz", "--layer-precision", "relux:fp32"], 2, "no node of the model that computes anything is named so"),
    (["run"], 2, "artifact"),
    (["run", "{f}/model.tar", "--no-such-flag"], 2, "no-such-flag"),
    (["run", "{f}/model.tar", "--fill", "sevens"], 2, "sevens"),
    (["run", "{f}/model.tar", "--threads", "-1"], 2, "--threads"),
    (["run", "{f}/model.tar", "--threads", "1000000"], 2, "--threads"),
    (["run", "{f}/model.tar", "--threads", "two"], 2, "--threads"),
    (["run", "{f}/model.tar", "--seed", "-1"], 2, "--seed"),
    (["run", "{f}/model.tar", "--rtol", "small"], 2, "--rtol"),
    (["run", "{f}/model.tar", "--shapes", "x:2by4"], 2, "this is no list of input shapes"),
    ([*BENCH, "--threads", "-1"], 2, "--threads"),
    ([*BENCH, "--no-such-flag"], 2, "no-such-flag"),
    (["bench", "{f}/model.tar", "--duration", "-1"], 2, "--duration"),
    (["bench", "{f}/model.tar", "--iterations", "0"], 2, "--iterations"),
    (["inspect", "{f}/model.tar", "--no-such-flag"], 2, "no-such-flag"),
    (["inspect"], 2, "file"),
    (["opt", "{f}/graph.ir", "--no-such-flag"], 2, "no-such-flag"),
    (["opt", "{f}/graph.ir", "--passes=no_such_pass"], 2, "no pass is named 'no_such_pass'"),
    # 3: models, artifacts and inputs that do not fit
    (["compile", "{f}/empty", "-o", "{f}/out.tar"], 3, "the file is empty"),
    (["compile", "{f}/model.tar", "-o", "{f}/out.tar"], 3, "probably a tar archive"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--shapes", "x:2x5"], 3, "contradicts the model"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--shapes", "image:2x4"], 3, "names input 'image'"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/other_name.npz"], 3, "there are no samples of input 'x'\n  expected: f32[batch,4]\n  got:      arrays z"),
    ([*QUANTIZE, "int4", "--calibrate", "{f}/no_arrays.npz"], 3, "there are no samples of input 'x'\n  expected: f32[batch,4]\n  got:      no arrays"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/f64.npz"], 3, "the samples of input 'x' do not fit the model\n  expected: f32[batch,4]\n  got:      f64[2,4]"),
    ([*QUANTIZE, "fp8", "--calibrate", "{f}/wide.npz"], 3, "the samples of input 'x' do not fit the model\n  expected: f32[batch,4]\n  got:      f32[2,5]"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/no_samples.npz"], 3, "there are no samples"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/nan.npz"], 3, "what 'product' reads is never finite"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/samples.npz", "--shapes", "x:0x4"], 3, "the model takes no samples"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/folder"], 3, "there are no samples\n  expected: at least one"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/x.npy"], 3, "this is no npz archive"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/samples.npz", "--shapes", "x:3x4"], 3, "the samples do not fill one batch of the model\n  expected: 3 in a file"),
    (["run", "{f}/empty"], 3, "this is no Intaglio artifact"),
    (["run", "{f}/model.onnx"], 3, "this is no Intaglio artifact"),
    (["run", "{f}/model.tar", "--input", "z={f}/x.npy"], 3, "the model has no input 'z'"),
    (["run", "{f}/model.tar", "--input", "{f}/other_name.npz"], 3, "the model has no input 'z'"),
    (["run", "{f}/model.tar", "--input", "{f}/f64.npy"], 3, "input 'x' has the wrong dtype\n  expected: f32[batch,4]\n  got:      f64[2,4]"),
    (["run", "{f}/model.tar", "--input", "{f}/wide.npy"], 3, "input 'x' has the wrong shape\n  expected: f32[batch,4]\n  got:      f32[2,5]"),
    (["run", "{f}/model.tar", "--input", "{f}/cube.npy"], 3, "input 'x' has the wrong shape\n  expected: f32[batch,4]\n  got:      f32[2,4,1]"),
    (["run", "{f}/model.tar", "--input", "{f}/complex.npy"], 3, "the array's type is not supported"),
    (["run", "{f}/model.tar", "--input", "{f}/cut.npy"], 3, "the array's data is cut short"),
    (["run", "{f}/model.tar", "--input", "{f}/huge.npy"], 3, "the array's data is cut short"),
    (["run", "{f}/model.tar", "--input", "{f}/text.txt"], 3, "this is no numpy array"),
    (["run", "{f}/model.tar", "--input", "{f}/empty"], 3, "this is no numpy array"),
    (["run", "{f}/model.tar", "--shapes", "x:2x5"], 3, "input 'x' has the wrong shape"),
    (["run", "{f}/model.tar", "--shapes", "z:2x4"], 3, "the model has no input 'z'"),
    (["run", "{f}/model.tar", "--shapes", "x:4611686018427387904x5"], 3, "input 'x' has the wrong shape"),
    (["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{f}/other_output.npz"], 3, "the model has no output 'z'"),
    (["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{f}/text.txt"], 3, "this is no npz archive"),
    ([*BENCH, "--input", "{f}/wide.npy"], 3, "input 'x' has the wrong shape"),
    (["bench", "{f}/text.txt"], 3, "this is no Intaglio artifact"),
    (["inspect", "{f}/text.txt"], 3, "this is no Intaglio artifact"),
    (["opt", "{f}/wrong.ir", "--passes=eliminate_dead"], 3, "no_such_operator"),
    (["opt", "{f}/empty", "--passes=eliminate_dead"], 3, "error: "),
    # 4: the environment
    (["compile", "{f}/folder", "-o", "{f}/out.tar"], 4, "Is a directory"),
    (["compile", "{f}/model.onnx", "-o", "{f}/folder"], 4, "Is a directory"),
    (["compile", "{f}/model.onnx", "-o", "/dev/full"], 4, "No space left on device"),
    (["compile", "{f}/model.onnx", "-o", "{f}/text.txt/out.tar"], 4, "Not a directory"),
    (["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--dump-ir", "{f}/text.txt"], 4, "text.txt"),
    ([*QUANTIZE, "int8", "--calibrate", "{f}/missing.npz"], 4, "missing.npz"),
    (["run", "{f}/folder"], 4, "Is a directory"),
    (["run", "{f}/model.tar", "--input", "{f}/missing.npy"], 4, "missing.npy"),
    (["run", "{f}/model.tar", "--expect", "{f}/missing.npz"], 4, "missing.npz"),
    (["run", "{f}/model.tar", "--print-top", "1", "--labels", "{f}/missing.txt"], 4, "missing.txt"),
    (["run", "{f}/model.tar", "--output", "/dev/full"], 4, "No space left on device"),
    (["run", "{f}/model.tar", "--output", "{f}/folder"], 4, "Is a directory"),
    (["run", "{f}/model.tar", "--output", "{f}/no/such/folder/out.npz"], 4, "No such file or directory"),
    (["run", "{f}/model.tar", "--shapes", "x:1152921504606846976x4"], 4, "out of memory"),
    (["bench", "{f}/missing.tar"], 4, "missing.tar"),
    ([*BENCH, "--json", "/dev/full"], 4, "No space left on device"),
    ([*BENCH, "--export-times", "{f}/no/such/folder/out.json"], 4, "No such file or directory"),
    ([*BENCH, "--export-profile", "{f}/folder"], 4, "Is a directory"),
    (["inspect", "{f}/missing.onnx"], 4, "missing.onnx"),
    (["inspect", "{f}/missing.tar"], 4, "missing.tar"),
    (["opt", "{f}/missing.ir", "--passes=eliminate_dead"], 4, "missing.ir"),
]


@pytest.mark.parametrize("arguments, code, message", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_is_wrong_ends_with_its_code_and_leaves_nothing_behind(arguments, code, message, files):
    before = sorted(files.rglob("*"))
    done = call(files, arguments)
    assert done.returncode == code, done.stderr
    # What differs is a result, and goes where results go.
    assert message in (done.stdout if code == 1 else done.stderr)
    assert code == 1 or "error: " in done.stderr
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize("arguments", [
    ["compile", "{f}/model.onnx", "--emit", "graph"], ["run", "{f}/model.tar", "--print-top", "1"], ["run", "{f}/model.tar", "--shapes", "x:2000x4", "--print-top", "3"],
    [*BENCH, "--json", "-"], ["inspect", "{f}/model.tar"], ["opt", "{f}/graph.ir", "--passes=eliminate_dead"]], ids=" ".join)
def test_results_that_stdout_does_not_take_are_an_error(arguments, files):
    with open("/dev/full", "w") as full:
        command = [INTAGLIO, *(argument.format(f=files) for argument in arguments)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 4, done.stderr
    assert "No space left on device" in done.stderr


def test_a_file_that_cannot_be_replaced_stays_as_it_was(files, tmp_path):
    out = tmp_path / "out.tar"
    out.write_bytes(b"precious")
    for arguments in (["compile", "{f}/text.txt", "-o", str(out)], ["run", "{f}/model.tar", "--input", "{f}/wide.npy", "--output", str(out)]):
        assert call(files, arguments).returncode == 3
        assert out.read_bytes() == b"precious"
        assert list(tmp_path.iterdir()) == [out]


def test_a_full_disk_leaves_nothing_half_written(files, tmp_path):
    # A limit on the size of files stands for the disk; the signal that comes with it is ignored, as shells do for disks.
    limited = f'trap "" XFSZ; ulimit -f 8; exec {INTAGLIO} compile {files}/model.onnx -o {tmp_path}/out.tar'
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=120)
    assert done.returncode == 4, done.stderr
    assert "out.tar: the file cannot be written: File too large" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["compile", "{f}/model.onnx", "-o", "{f}/out.tar"], [*QUANTIZE, "int8", "--calibrate", "{f}/samples.npz"]], ids=" ".join)
def test_temporary_files_need_a_folder(arguments, files):
    done = call(files, arguments, env={**os.environ, "TMPDIR": "/no/such/folder"})
    assert done.returncode == 4, done.stderr
    assert "error: /no/such/folder/intaglio-" in done.stderr and "no temporary folder can be made: No such file or directory" in done.stderr
    assert not (files / "out.tar").exists()


def test_cuda_needs_nvrtc_and_says_so_first(files, tmp_path):
    command = ["compile", "{f}/model.onnx", "-o", "{f}/out.tar", "--target", "cpu,cuda"]
    missing = call(files, command, env={**os.environ, "INTAGLIO_NVRTC_PATH": "/no/such/folder"})
    assert missing.returncode == 4, missing.stderr
    assert "NVRTC, which compiles the kernels, was not found" in missing.stderr and "install the CUDA Toolkit" in missing.stderr
    assert "optimizing" not in missing.stderr
    (tmp_path / "libnvrtc.so.13").write_bytes(b"no library")
    broken = call(files, command, env={**os.environ, "INTAGLIO_NVRTC_PATH": str(tmp_path)})
    assert broken.returncode == 4, broken.stderr
    assert "NVRTC, which compiles the kernels, cannot be loaded" in broken.stderr and "libnvrtc.so.13: file too short" in broken.stderr
    assert not (files / "out.tar").exists()


def test_an_output_is_replaced_as_a_whole(files, tmp_path):
    out = tmp_path / "out.tar"
    out.write_bytes(b"old")
    assert call(files, ["compile", "{f}/model.onnx", "-o", str(out)]).returncode == 0
    assert out.read_bytes() == (files / "model.tar").read_bytes()
    assert list(tmp_path.iterdir()) == [out]


def test_damaged_files_are_refused_or_right(files, tmp_path):
    """Seeded changes of bytes in what each command reads: no crash, no bug of ours, whatever comes."""
    damaged = tmp_path / "damaged"
    seeded = random.Random(1)
    refused = 0
    for name, arguments, trials in (
        ("model.onnx", ["compile", "{d}", "-o", "/dev/null", "-O0", "--progress", "none"], 60),
        ("model.tar", ["inspect", "{d}", "--layers"], 60),
        ("model.tar", ["bench", "{d}", *BENCH[2:], "--profile"], 30),
        ("x.npy", ["run", "{f}/model.tar", "--input", "{d}"], 60),
        ("y.npz", ["run", "{f}/model.tar", "--input", "{f}/x.npy", "--expect", "{d}.npz"], 60),
        ("samples.npz", [*QUANTIZE[:3], "/dev/null", "--quantize", "int8", "--calibrate", "{d}.npz"], 30),
        ("graph.ir", ["opt", "{d}", "--passes=simplify"], 60),
    ):
        whole = (files / name).read_bytes()
        path = damaged.with_suffix(".npz") if name.endswith(".npz") else damaged
        for trial in range(trials):
            content = bytearray(whole)
            # The end of an artifact is weights and padding: most changes go to the front.
            content[seeded.randrange(min(len(content), 4096))] ^= 1 << seeded.randrange(8)
            path.write_bytes(content)
            done = subprocess.run([INTAGLIO, *(argument.format(f=files, d=damaged) for argument in arguments)], capture_output=True, text=True, errors="replace", timeout=120)
            # 4: a CPU's feature of another name.
            assert done.returncode in (0, 1, 3, 4), (name, trial, done.returncode, done.stderr)
            assert done.returncode in (0, 1) or "error: " in done.stderr
            refused += done.returncode == 3
    assert refused > 100


def test_names_may_be_any_bytes(files, tmp_path):
    model = (files / "model.onnx").read_bytes()
    # The input, an output and a node under names that are no UTF-8.
    for old, new in ((b"product", b"pr\xff\xfeuct"), (b"relu", b"re\xfcu"), (b"\x01x", b"\x01\xe9"), (b"\x01y", b"\x01\xea")):
        assert old in model
        model = model.replace(old, new)
    (tmp_path / "model.onnx").write_bytes(model)
    artifact = str(tmp_path / "model.tar")
    commands = (["compile", str(tmp_path / "model.onnx"), "-o", artifact], ["inspect", artifact, "--layers"], ["run", artifact], ["bench", artifact, *BENCH[2:], "--profile", "--export-profile", artifact + ".json"])
    for arguments in commands:
        done = subprocess.run([INTAGLIO, *arguments], capture_output=True, text=True, errors="replace", timeout=120)
        assert done.returncode == 0, (arguments, done.stderr)


def test_unsupported_operators_are_all_named_at_once(files, tmp_path):
    names = ["x", "a", "b", "c", "y"]
    operators = ["Einsum", "NonZero", "Einsum", "LRN"]
    nodes = [helper.make_node(operator, [names[i]], [names[i + 1]], f"node{i}") for i, operator in enumerate(operators)]
    save_model(tmp_path / "model.onnx", nodes)
    done = call(files, ["compile", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "out.tar")])
    assert done.returncode == 3
    for operator in set(operators):
        assert done.stderr.count(f"operator {operator} of opset 17 is not supported") == 1
    assert "2 nodes, the first is 'node0'" in done.stderr
    assert not (tmp_path / "out.tar").exists()
