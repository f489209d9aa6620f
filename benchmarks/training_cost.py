"""What training a model of the Llama or Mistral family costs: parameters, operations and memory.

Source: Chowdhery et al. 2022 (PaLM), appendix B, for the share of a card's peak; NVIDIA's data
sheets for the peaks (dense bf16).
"""

from dataclasses import dataclass

# TFLOPS; the first name that the device's contains
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "A100": 312}
# bytes a trained parameter: AdamW keeps two float32 moments; Adafactor sums of rows and columns
OPTIMIZERS = {"adamw_torch_fused": 8.0, "paged_adamw_8bit": 2.0, "adafactor": 0.0}
FLOAT32 = 4
GB = 1e9


@dataclass(frozen=True)
class Shape:
    """Numbers of a model's configuration; `heads` of the queries, `groups` of keys and values."""

    vocabulary: int
    width: int
    inner_width: int
    layers: int
    heads: int
    groups: int

    @property
    def parameters(self) -> int:
        """Of all weights; input and output embeddings are two tables."""
        keys = self.width // self.heads * self.groups
        attention = 2 * self.width * self.width + 2 * self.width * keys
        layer = attention + 3 * self.width * self.inner_width + 2 * self.width
        return 2 * self.vocabulary * self.width + self.layers * layer + self.width

    def count_adapters(self, rank: int) -> int:
        """Weights of LoRA adapters of this rank on all linear layers but the last."""
        keys = self.width // self.heads * self.groups
        sides = 2 * (self.width + self.width) + 2 * (self.width + keys)
        return self.layers * rank * (sides + 3 * (self.width + self.inner_width))


SHAPES = {
    "mistral_7b": Shape(32000, 4096, 14336, 32, 32, 8),
    "llama_1b": Shape(32000, 2048, 5632, 22, 32, 4),
    "tiny": Shape(512, 64, 128, 2, 4, 2),
}


def count_operations(shape: Shape, length: int, lora: bool, kto: bool) -> float:
    """Floating-point operations that a trained token takes, in rows of `length` tokens.

    A pass forward takes 2 a parameter, a pass backward 2 for the inputs and 2 for the weights,
    which LoRA saves: 6, or 4. Attention takes 2 * layers * width * length forward, for a causal
    mask leaves half of the scores, and twice that backward. KTO adds three passes forward: the
    reference, and both models on the mismatched pairs. What activation checkpointing computes
    again does not count.
    """
    forward = 2 * shape.parameters
    attention = 2 * shape.layers * shape.width * length
    passes = 3 if kto else 0
    return (3 + passes - lora) * forward + (3 + passes) * attention


@dataclass(frozen=True)
class Memory:
    """Bytes that stay on the card for the whole of a training."""

    weights: float
    reference: float
    gradients: float
    moments: float

    @property
    def total(self) -> float:
        """Without activations, logits and autocast's bf16 copies of the weights."""
        return self.weights + self.reference + self.gradients + self.moments

    def __str__(self) -> str:
        parts = [f"{name} {value / GB:.3g}" for name, value in vars(self).items() if value]
        return f"{' + '.join(parts)} = {self.total / GB:.3g} GB"


def count_memory(shape: Shape, rank: int, kto: bool, optimizer: str) -> Memory:
    """Memory of float32 weights; of LoRA adapters of `rank`, or all weights where it is 0.

    KTO keeps a second model for its reference, or with LoRA switches the adapters off.
    """
    adapters = shape.count_adapters(rank)
    trained = adapters if rank else shape.parameters
    return Memory(
        weights=FLOAT32 * (shape.parameters + adapters),
        reference=FLOAT32 * shape.parameters if kto and not rank else 0.0,
        gradients=FLOAT32 * trained,
        moments=OPTIMIZERS[optimizer] * trained,
    )


def find_peak(device: str) -> int | None:
    """The device's dense bf16 peak in TFLOPS by its name; null where the table lacks it."""
    return next((peak for name, peak in PEAKS.items() if name in device), None)
