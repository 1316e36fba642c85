"""Frozen senses: observations -> scenes of tokens with positions."""

from .grid import GridEncoder
from .senses import Senses
from .symbol import SymbolEncoder, SymbolsEncoder
from .text import TextEncoder
from .vector import VectorEncoder

__all__ = ["GridEncoder", "Senses", "SymbolEncoder", "SymbolsEncoder", "TextEncoder", "VectorEncoder"]
