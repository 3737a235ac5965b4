#!/usr/bin/env python3
"""Products of a few rows by 4096 x 4096 weights, one after the other: Intaglio in fp32 and with int4 weights, ONNX Runtime in fp32 and MatMulNBits."""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

SIZE, BLOCK = 4096, 32


def save(path, rows, layers, weights_of, node_of):
    constants, nodes = [], []
    for i in range(layers):
        weights = weights_of(i)
        constants += weights
        nodes.append(node_of([f"x{i}", *(weight.name for weight in weights)], [f"x{i + 1}"]))
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, SIZE])
    graph = helper.make_graph(nodes, "products", [value("x0")], [value(f"x{layers}")], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10), path)


def save_f32(path, rows, layers):
    random = np.random.default_rng(0)
    weights = lambda i: [onnx.numpy_helper.from_array(random.standard_normal((SIZE, SIZE), dtype=np.float32) / 64, f"w{i}")]
    save(path, rows, layers, weights, lambda inputs, outputs: helper.make_node("MatMul", inputs, outputs))


def save_int4(path, rows, layers, accuracy_level):
    random = np.random.default_rng(0)

    def weights(i):
        packed = random.integers(0, 256, (SIZE, SIZE // BLOCK, BLOCK // 2), dtype=np.uint8)
        return [onnx.numpy_helper.from_array(packed, f"w{i}"), onnx.numpy_helper.from_array(np.full(SIZE * SIZE // BLOCK, 0.003, np.float32), f"s{i}")]

    attributes = dict(domain="com.microsoft", K=SIZE, N=SIZE, bits=4, block_size=BLOCK, accuracy_level=accuracy_level)
    save(path, rows, layers, weights, lambda inputs, outputs: helper.make_node("MatMulNBits", inputs, outputs, **attributes))


def intaglio_ms(program, model, options, seconds, threads):
    artifact = model.with_suffix(".tar")
    subprocess.run([program, "compile", model, *options, "-o", artifact, "--progress", "none"], check=True, stdout=subprocess.DEVNULL)
    command = [program, "bench", artifact, "--duration", str(seconds), "--threads", str(threads), "--json", "-"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["latency_ms"]["median"]


def onnxruntime_ms(model, seconds, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {"x0": np.random.default_rng(1).standard_normal(session.get_inputs()[0].shape).astype(np.float32)}
    times, end = [], time.perf_counter() + seconds
    for _ in range(5):
        session.run(None, feeds)
    while time.perf_counter() < end:
        begin = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("intaglio")
    parser.add_argument("--rows", default="1,4,16")
    parser.add_argument("--layers", type=int, default=4, help="weights that are not read from a cache")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    print(f"{'rows':>4}  {'fp32':>8}  {'int4':>8}  {'ORT fp32':>8}  {'ORT int4':>8}  {'activations in int8':>19}   median ms of a product")
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.onnx"
        for rows in map(int, given.rows.split(",")):
            save_f32(model, rows, given.layers)
            measured = [intaglio_ms(given.intaglio, model, options, given.seconds, given.threads) for options in ([], ["--quantize", "int4"])]
            measured.append(onnxruntime_ms(model, given.seconds, given.threads))
            for accuracy_level in (1, 4):
                save_int4(model, rows, given.layers, accuracy_level)
                measured.append(onnxruntime_ms(model, given.seconds, given.threads))
            print(f"{rows:>4}" + "".join(f"  {ms / given.layers:>{width}.3f}" for ms, width in zip(measured, (8, 8, 8, 8, 19))), flush=True)


if __name__ == "__main__":
    main()
