"""Lateral connections: what stands on a map talks to its neighbours, round after round, and the agent listens to those
around its own place.

Each round carries by one cell what a place is worth and what stands in the way, as horizontal connections spread
activity over the cortex (Gilbert & Wiesel 1989) and as sweeps of value iteration do, which a convolution with shared
weights can learn (Tamar 2016, section 3; recurrent and fed anew with what is seen, Schwarzschild 2021). So a way that
was never walked is found where only its parts were seen before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NEAR = 3
"""Side of the patch of places, the own one in its middle, that is listened to."""
REACH = 5
"""Cells from the own one up to which places talk: what lies further tells the context alone, and costs less."""

SILENCE = -1e6
"""What is added where nothing is known: nothing that neighbours say comes up against it."""


class Lateral(nn.Module):
    """Tokens on a map -> what the places around the agent say [B, NEAR * NEAR * width]; ``inputs`` units a token,
    ``rounds`` of talking, first weights from ``generator``. Without rounds each place speaks for itself alone."""

    def __init__(self, inputs: int, width: int, rounds: int, generator: torch.Generator) -> None:
        super().__init__()
        self.width, self.rounds, self.told = width, rounds, NEAR * NEAR * width
        self.enter = nn.utils.skip_init(nn.Linear, inputs, width)
        self.talk = nn.utils.skip_init(nn.Conv2d, width, width, NEAR, padding=1)
        nn.init.uniform_(self.enter.weight, -(inputs**-0.5), inputs**-0.5, generator=generator)
        # Each round halves what it hands on, so that many of them neither fade nor burst.
        nn.init.normal_(self.talk.weight, std=(0.5 / self.told) ** 0.5, generator=generator)
        nn.init.zeros_(self.enter.bias)
        nn.init.zeros_(self.talk.bias)

    def forward(
        self, tokens: Tensor, row: Tensor, column: Tensor, known: Tensor, precision: torch.dtype = torch.float32
    ) -> Tensor:
        """Tokens [B, N, inputs] at ``row``, ``column`` [B, N] from the agent, those that are ``known`` [B, N] bool; in
        which ``precision`` they talk."""
        far = torch.iinfo(row.dtype).max
        known = known & (row.abs() <= REACH) & (column.abs() <= REACH)
        # The smallest map on which the own place lies beside all that a body knows.
        above, left = (torch.where(known, at, far).amin(dim=1, keepdim=True).clamp(max=0) for at in (row, column))
        down, right = row - above, column - left
        side = 1 + int(torch.where(known, torch.maximum(down, right), 0).amax())
        side = max(side, 1 - int(torch.minimum(above, left).amin()))
        flat = torch.where(known, down * side + right, 0)[..., None].expand(-1, -1, self.width)
        entering = self.enter(tokens) * known[..., None]
        seen = entering.new_zeros(len(tokens), side * side, self.width).scatter_add(1, flat, entering)
        seen = seen.view(len(tokens), side, side, self.width).permute(0, 3, 1, 2)
        # What is not known says nothing, however much of it the maps of other bodies make room for.
        times = entering.new_zeros(len(tokens), side * side).scatter_add(1, flat[..., 0], known.to(entering.dtype))
        seen = seen.masked_fill((times == 0).view(-1, 1, side, side), SILENCE)
        seen, weight = (a.to(precision, memory_format=torch.channels_last) for a in (seen, self.talk.weight))
        bias, edge, said = self.talk.bias.to(precision), NEAR // 2, functional.relu(seen)
        for _ in range(self.rounds):
            said = functional.conv2d(said, weight, bias, padding=edge).add_(seen).relu_()
        said = functional.pad(said.float(), (edge, edge, edge, edge))
        body, step = torch.arange(len(tokens))[:, None], torch.arange(NEAR)
        return said[body, :, step.repeat_interleave(NEAR) - above, step.repeat(NEAR) - left].flatten(start_dim=1)
