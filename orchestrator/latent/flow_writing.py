"""Writing token sequences of codes, quickly: the decoder of a flow autoencoder, rearranged.

What a token contributes to the gates is looked up in a table, and what the code contributes is
computed once; one matrix product a step is left, and that of the output.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orchestrator.latent.flow_networks import FlowVae
from orchestrator.latent.tokens import END


class Writer:
    """The most probable tokens of codes, one after the other."""

    def __init__(self, network: FlowVae) -> None:
        """Takes the network's weights as they are now."""
        with torch.inference_mode():
            gru, embedding = network.decoder, network.embedding.weight
            width = embedding.shape[1]
            read, hold = gru.weight_ih_l0, gru.weight_hh_l0
            self._hidden = hold.shape[1]
            self._table = embedding @ read[:, :width].T + gru.bias_ih_l0
            self._of_code = read[:, width:].T.contiguous()
            first, last = (cast(nn.Linear, network.output[i]) for i in (0, 2))
            self._width = first.out_features
            # One product gives what is read out now and what the next gates need.
            both = torch.cat([first.weight[:, : self._hidden], hold])
            self._step = both.T.contiguous()
            self._gate_bias = gru.bias_hh_l0.clone()
            self._code_out = first.weight[:, self._hidden :].T.contiguous()
            self._out_bias = first.bias.clone()
            self._words = last.weight.T.contiguous()
            self._word_bias = last.bias.clone()
            self._start = network.start

    @torch.inference_mode()
    def write(self, codes: Tensor, longest: int) -> Tensor:
        """Tokens ``n x length`` of codes ``n x d``, each row up to its end token and beyond.

        Stops when every sequence has ended, at ``longest`` tokens at the latest.
        """
        n, size = len(codes), self._hidden
        hidden = torch.tanh(self._start(codes))
        gates = codes @ self._of_code
        outward = codes @ self._code_out + self._out_bias
        held = torch.addmm(self._gate_bias, hidden, self._step[:, self._width :])
        token = torch.full((n,), END)
        ended = torch.zeros(n, dtype=torch.bool)
        steps: list[Tensor] = []
        for _ in range(longest):
            given = self._table.index_select(0, token).add_(gates)
            sides = torch.sigmoid_(given[:, : 2 * size] + held[:, : 2 * size])
            reset, update = sides[:, :size], sides[:, size:]
            new = torch.tanh_(given[:, 2 * size :].addcmul_(reset, held[:, 2 * size :]))
            hidden = torch.lerp(new, hidden, update)
            product = hidden @ self._step
            said = functional.gelu(product[:, : self._width] + outward)
            held = product[:, self._width :].add_(self._gate_bias)
            token = torch.addmm(self._word_bias, said, self._words).argmax(dim=1)
            steps.append(token)
            ended |= token == END
            if bool(ended.all()):
                break
        return torch.stack(steps, dim=1)
