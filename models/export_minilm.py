"""all-MiniLM-L6-v2 to ONNX with symbolic batch and sequence: token ids in, mean-pooled L2-normalised embedding out.

usage: export_minilm.py FETCHED-FOLDER OUT.onnx
"""
import json
import math
import pathlib
import struct
import sys

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

WIDTH, INNER, HEADS, LAYERS = 384, 1536, 12, 6
EPSILON = 1e-12
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
# Members of Layer and the weights' names
NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm2": "output.LayerNorm",
}


def read_safetensors(path):
    """Name to tensor: a length, a JSON table, then the data (github.com/huggingface/safetensors, format)."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    dtypes = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], dtypes[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm1 = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, x, bias):
        batch, length, _ = x.shape

        def heads(y):
            return y.reshape(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)

        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + bias
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.norm1(x + self.out(mixed))
        return self.norm2(x + self.down(functional.gelu(self.up(x))))


class MiniLM(nn.Module):
    def __init__(self, weights):
        super().__init__()

        def table(name):
            return nn.Embedding.from_pretrained(weights[f"embeddings.{name}_embeddings.weight"])

        def load(module, name):
            module.weight.data, module.bias.data = weights[f"{name}.weight"], weights[f"{name}.bias"]

        self.words, self.positions, self.types = table("word"), table("position"), table("token_type")
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        load(self.norm, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        for i, layer in enumerate(self.layers):
            for member, name in NAMES.items():
                load(getattr(layer, member), f"encoder.layer.{i}.{name}")

    def forward(self, input_ids, attention_mask, token_type_ids):
        positions = torch.arange(input_ids.shape[1])
        x = self.norm(self.words(input_ids) + self.positions(positions)[None] + self.types(token_type_ids))
        mask = attention_mask.to(x.dtype)
        bias = (1.0 - mask)[:, None, None, :] * -1e9
        for layer in self.layers:
            x = layer(x, bias)
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1e-9)
        return functional.normalize(mean, dim=-1)


def main():
    fetched, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    model = MiniLM(read_safetensors(next(fetched.glob("*minilm*/**/model.safetensors")))).eval()
    ids = torch.randint(1000, 20000, (3, 17))
    mask = torch.ones(3, 17, dtype=torch.long)
    mask[1, 9:] = 0
    example = (ids, mask, torch.zeros_like(ids))
    axes = {0: torch.export.Dim("batch", min=1, max=512), 1: torch.export.Dim("sequence", min=2, max=512)}
    torch.onnx.export(
        model,
        example,
        out,
        input_names=INPUTS,
        output_names=["sentence_embedding"],
        dynamo=True,
        external_data=False,
        dynamic_shapes=dict.fromkeys(INPUTS, axes),
    )
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    for inputs in (example, [value[:1, :5] for value in example]):
        embedding = session.run(None, dict(zip(INPUTS, (value.numpy() for value in inputs))))[0]
        assert np.abs(embedding - model(*inputs).detach().numpy()).max() < 1e-4


if __name__ == "__main__":
    main()
