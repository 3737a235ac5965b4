"""Exports the benchmark models with random weights (speed does not depend on them): resnet50, mobilenet_v2, vit_b_16, bert_s128.

usage: export_models.py FOLDER [BATCH]      needs torch, torchvision, transformers
"""
import pathlib
import sys
import warnings

import torch
import torchvision.models as vision
from torch import nn
from transformers import BertConfig, BertModel


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = BertModel(BertConfig(attn_implementation="eager"))

    def forward(self, ids):
        return self.model(input_ids=ids).last_hidden_state


def fit_statistics(model):
    """Fits batch norms to noise and gives ViT a head: with torchvision's initial values the output hardly depends on the input."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.data.uniform_(0.5, 1.0)
        norm.bias.data.normal_(0, 0.1)
    if norms:
        with torch.no_grad():
            model.train()(torch.randn(16, 3, 224, 224))
    if hasattr(model, "heads"):
        nn.init.normal_(model.heads.head.weight, std=0.02)
    return model


def main():
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    folder = pathlib.Path(sys.argv[1])
    batch = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    folder.mkdir(parents=True, exist_ok=True)
    image = torch.randn(batch, 3, 224, 224)
    tokens = torch.randint(0, 30000, (batch, 128))
    models = {
        "resnet50": (lambda: fit_statistics(vision.resnet50(weights=None)), image),
        "mobilenet_v2": (lambda: fit_statistics(vision.mobilenet_v2(weights=None)), image),
        "vit_b_16": (lambda: fit_statistics(vision.vit_b_16(weights=None)), image),
        "bert_s128": (Bert, tokens),
    }
    for name, (make, example) in models.items():
        torch.onnx.export(
            make().eval(), example, str(folder / f"{name}.onnx"), opset_version=17, dynamo=False, input_names=["data"], output_names=["out"]
        )
        print(name, flush=True)


if __name__ == "__main__":
    main()
