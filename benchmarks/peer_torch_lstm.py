"""One pass through `torch.nn.LSTM` and back; arguments: memory cells, sequences, steps, seconds.

Prints CPU microseconds as JSON: "forward", and "both" with the gradients of weights and inputs.
"""

from __future__ import annotations

from measure import cpu_us  # settles the number of threads

# isort: split
import json
import sys

import torch


def main() -> None:
    cells, sequences, steps = map(int, sys.argv[1:4])
    torch.set_num_threads(1)
    lstm = torch.nn.LSTM(cells, cells, batch_first=True)
    x = torch.randn(sequences, steps, cells, requires_grad=True)
    weighting = torch.randn(sequences, steps, cells)
    memory = torch.zeros(1, sequences, cells), torch.zeros(1, sequences, cells)
    trained = [x, *lstm.parameters()]

    def forward() -> None:
        with torch.no_grad():
            lstm(x, memory)

    def both() -> None:
        torch.autograd.grad((lstm(x, memory)[0] * weighting).sum(), trained)

    print(json.dumps(cpu_us({"forward": forward, "both": both}, float(sys.argv[4]))))


if __name__ == "__main__":
    main()
