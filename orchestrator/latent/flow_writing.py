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

SLOTS = 16
"""Sequences written at a time: they differ in length, and a short one need not wait for a long."""


class Writer:
    """The most probable tokens of codes, one after the other."""

    def __init__(self, network: FlowVae) -> None:
        """Takes the network's weights as they are now."""
        with torch.inference_mode():
            gru, embedding = network.decoder, network.embedding.weight
            width = embedding.shape[1]
            read, hold = cast(Tensor, gru.weight_ih_l0), cast(Tensor, gru.weight_hh_l0)
            self._hidden = int(hold.shape[1])
            self._table = embedding @ read[:, :width].T + cast(Tensor, gru.bias_ih_l0)
            self._of_code = read[:, width:].T.contiguous()
            first, last = (cast(nn.Linear, network.output[i]) for i in (0, 2))
            self._width = first.out_features
            # One product gives what is read out now and what the next gates need.
            both = torch.cat([first.weight[:, : self._hidden], hold])
            self._step = both.T.contiguous()
            self._gate_bias = cast(Tensor, gru.bias_hh_l0).clone()
            self._code_out = first.weight[:, self._hidden :].T.contiguous()
            self._out_bias = first.bias.clone()
            self._words = last.weight.T.contiguous()
            self._word_bias = last.bias.clone()
            self._start = network.start

    def begin(self, codes: Tensor) -> Tensor:
        """What writing needs of codes ``n x d``, a row each: where it begins, and what stays.

        Products of another number of rows may round differently: blocks should be of one size.
        """
        hidden = torch.tanh(self._start(codes))
        held = torch.addmm(self._gate_bias, hidden, self._step[:, self._width :])
        outward = codes @ self._code_out + self._out_bias
        return torch.cat([hidden, held, codes @ self._of_code, outward], dim=1)

    @torch.inference_mode()
    def write(self, begun: Tensor, longest: int) -> list[list[int]]:
        """Tokens of each row of :meth:`begin`, without end tokens, and at most ``longest``.

        A few are written at a time, always as many, so that each row gives the same tokens whatever
        its company. Where one ends the next begins.
        """
        size = self._hidden
        written: list[list[int]] = [[] for _ in range(len(begun))]
        waiting = iter(range(len(begun)))
        at: list[int | None] = [None] * SLOTS
        state = begun.new_zeros(SLOTS, begun.shape[1])
        token = torch.full((SLOTS,), END)
        free = list(range(SLOTS))
        while True:
            for slot in free:
                at[slot] = row = next(waiting, None)
                if row is not None:
                    state[slot] = begun[row]
                    token[slot] = END
            if all(row is None for row in at):
                return written
            token = self._advance(state, token, size)
            free = []
            for slot, (row, said) in enumerate(zip(at, token.tolist(), strict=True)):
                if row is not None and said != END:
                    written[row].append(said)
                if row is not None and (said == END or len(written[row]) == longest):
                    free.append(slot)

    def _advance(self, state: Tensor, token: Tensor, size: int) -> Tensor:
        """The next token of each slot, whose state is changed in place."""
        hidden, held = state[:, :size], state[:, size : 4 * size]
        given = self._table.index_select(0, token).add_(state[:, 4 * size : 7 * size])
        sides = torch.sigmoid_(given[:, : 2 * size] + held[:, : 2 * size])
        reset, update = sides[:, :size], sides[:, size:]
        new = torch.tanh_(given[:, 2 * size :].addcmul_(reset, held[:, 2 * size :]))
        hidden.copy_(torch.lerp(new, hidden, update))
        product = hidden @ self._step
        torch.add(product[:, self._width :], self._gate_bias, out=held)
        said = functional.gelu(product[:, : self._width] + state[:, 7 * size :])
        return torch.addmm(self._word_bias, said, self._words).argmax(dim=1)
