"""Names for tokens: equal tokens, equal numbers. Memory stores the numbers, and each token once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cortex.types import TOKEN_WIDTH, UNSEEN, Array, CortexError, room

SEED = 3_000

CHUNK = 256
"""Tokens hashed at once: few enough to stay in the processor's cache."""

SPARSITY = 8
"""At least so many slots a token: most are found where the search for them begins."""


class Codebook:
    """Interns tokens [E] as codes, consecutive from 1 in order of first appearance; UNSEEN is the code of no token.

    Tokens are equal when all their bits are (-0.0 counts as 0.0), which a 64-bit hash decides. Known ones are found by
    open addressing, at the same price among a few hundred grid cells as among a million continuous values.
    """

    def __init__(self, width: int = TOKEN_WIDTH) -> None:
        self.width = width
        # Odd, so that a change of any one word changes the hash.
        drawn = np.random.PCG64(SEED).random_raw(2 * ((width + 1) // 2)).view(np.int64) | 1
        self._multipliers = drawn.reshape(2, -1)
        self._size = 1
        self._vectors = np.zeros((1, width), np.float32)
        self._hashes = np.zeros(1, np.int64)
        self._slots = np.zeros(1_024, np.int32)  # the code in each slot, UNSEEN where free
        self._blocks: dict[int, _Blocks] = {}

    @property
    def size(self) -> int:
        """V: the number of codes, UNSEEN included."""
        return self._size

    @property
    def vectors(self) -> Array:
        """[V, E] float32: the token of each code, zeros for UNSEEN; read-only. All that a checkpoint has to keep."""
        view = self._vectors[: self._size]
        view.flags.writeable = False
        return view

    def encode(self, tokens: Array, mask: Array | None = None) -> Array:
        """Tokens [..., E] -> codes [...] int32, new for tokens not met before; UNSEEN where mask [...] is False."""
        if tokens.shape[-1] != self.width:
            raise CortexError(f"a codebook of tokens {self.width} wide cannot encode tokens {tokens.shape[-1]} wide")
        flat = tokens.reshape(-1, self.width)
        hashes = self._hash(flat)
        codes = self._find(hashes)
        known = np.ones(len(flat), bool) if mask is None else np.broadcast_to(mask, tokens.shape[:-1]).reshape(-1)
        new = np.flatnonzero((codes == UNSEEN) & known)
        if new.size:
            first = new[np.sort(np.unique(hashes[new], return_index=True)[1])]
            self._append(flat[first] + np.float32(0), hashes[first])
            codes[new] = self._find(hashes[new])
        codes[~known] = UNSEEN
        return codes.reshape(tokens.shape[:-1])

    def decode(self, codes: Array) -> Array:
        """Codes [...] -> tokens [..., E] float32, zeros where UNSEEN."""
        return self.vectors.take(codes, axis=0)

    def load(self, vectors: Array) -> None:
        """Become the codebook whose ``vectors`` [V, E] these are. Raises CortexError if they cannot be a codebook's."""
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.width or not len(vectors) or vectors[UNSEEN].any():
            raise CortexError(f"a codebook is [V, {self.width}] with a first row of zeros, not this {vectors.shape}")
        other = Codebook(self.width)
        other.encode(vectors[1:])
        if other.size != len(vectors):
            raise CortexError(f"a codebook holds each token once, but {len(vectors) - other.size} here are repeated")
        self.__dict__.update(other.__dict__)

    def attributes(self, codes: Array, blocks: int = 3) -> Array:
        """Codes [...] -> a code for each block of the token [..., blocks] int32: equal blocks, equal numbers, from 1.

        A block is E // blocks wide, the last one takes the rest. UNSEEN has 0 in each.
        """
        return self._split(blocks).table.take(codes, axis=0)

    def compose(self, attributes: Array) -> Array:
        """Attributes [n, blocks] -> codes [n] of the tokens made of these blocks, new where needed; all 0 is UNSEEN."""
        attributes = np.asarray(attributes)
        books = self._split(attributes.shape[1]).books
        tokens = np.concatenate([book.decode(attributes[:, block]) for block, book in enumerate(books)], axis=1)
        return self.encode(tokens, attributes.sum(axis=1) > 0)

    def nearest(self, tokens: Array, candidates: Array | None = None) -> tuple[Array, Array]:
        """Tokens [n, E] -> codes [n] of the closest known tokens and their Euclidean distances [n] float32.

        ``candidates``: the codes to choose from, else all. UNSEEN and infinity where there is none.
        """
        among = np.arange(1, self.size, dtype=np.int32) if candidates is None else np.asarray(candidates, np.int32)
        if not among.size:
            return np.full(len(tokens), UNSEEN, np.int32), np.full(len(tokens), np.inf, np.float32)
        vectors = self.decode(among)
        code = among[(np.einsum("ve,ve->v", vectors, vectors) / 2 - tokens @ vectors.T).argmin(axis=1)]
        return code, np.linalg.norm(tokens - self.decode(code), axis=1).astype(np.float32)

    def _append(self, vectors: Array, hashes: Array) -> None:
        """Give codes to tokens that differ from all known ones and from each other."""
        start, self._size = self._size, self._size + len(vectors)
        self._vectors, self._hashes = room(self._vectors, self._size), room(self._hashes, self._size)
        self._vectors[start : self._size], self._hashes[start : self._size] = vectors, hashes
        if SPARSITY * self._size > len(self._slots):
            self._slots = np.zeros(1 << (SPARSITY * self._size).bit_length(), np.int32)
            start = 1
        codes = np.arange(start, self._size, dtype=np.int32)
        slot = self._home(self._hashes[codes])
        while codes.size:
            free = self._slots[slot] == UNSEEN
            self._slots[slot[free]] = codes[free]  # where several want one slot, the last has it
            lost = self._slots[slot] != codes
            codes, slot = codes[lost], (slot[lost] + 1) % len(self._slots)

    def _hash(self, tokens: Array) -> Array:
        """Tokens [n, E] -> [n] int64. Integers wrap around, so neither order nor the shape of the batch matters."""
        hashes = np.empty(len(tokens), np.int64)
        padded = np.zeros((min(CHUNK, len(tokens)), self.width + self.width % 2), np.float32)
        for start in range(0, len(tokens), CHUNK):
            some = tokens[start : start + CHUNK]
            np.add(some, np.float32(0), out=padded[: len(some), : self.width], casting="same_kind")  # -0.0 becomes 0.0
            pairs = padded[: len(some)].view(np.int64)
            # High halves once more by themselves: round numbers have only their highest bits, which would wrap away.
            hashes[start : start + CHUNK] = pairs @ self._multipliers[0] + (pairs >> 32) @ self._multipliers[1]
        return hashes

    def _find(self, hashes: Array) -> Array:
        """Codes of hashes [n], UNSEEN where not known."""
        slot = self._home(hashes)
        codes = self._slots.take(slot)
        astray = np.flatnonzero((self._hashes.take(codes) != hashes) & (codes != UNSEEN))
        while astray.size:
            slot[astray] = (slot[astray] + 1) % len(self._slots)
            codes[astray] = self._slots[slot[astray]]
            here = codes[astray]
            astray = astray[(self._hashes[here] != hashes[astray]) & (here != UNSEEN)]
        return codes

    def _home(self, hashes: Array) -> Array:
        """Where the search for a hash begins: its highest bits, which all words of the token have mixed."""
        bits = len(self._slots).bit_length() - 1
        return (hashes >> (64 - bits)) & (len(self._slots) - 1)

    def _split(self, blocks: int) -> _Blocks:
        """Bring the codes of the blocks up to date with the tokens."""
        if blocks not in self._blocks:
            width = self.width // blocks
            widths = [width] * (blocks - 1) + [self.width - width * (blocks - 1)]
            self._blocks[blocks] = _Blocks([Codebook(each) for each in widths], np.zeros((1, blocks), np.int32), 1)
        known = self._blocks[blocks]
        if known.size < self._size:
            known.table = room(known.table, self._size)
            column = 0
            for block, book in enumerate(known.books):
                parts = self._vectors[known.size : self._size, column : column + book.width]
                known.table[known.size : self._size, block] = book.encode(parts)
                column += book.width
            known.size = self._size
        return known


@dataclass(slots=True)
class _Blocks:
    books: list[Codebook]  # one for each block
    table: Array  # [at least V, blocks] int32
    size: int  # how many codes the table covers
