"""Frozen senses: observations -> scenes of tokens with positions."""

from .grid import GridEncoder
from .hub import HubEncoder
from .image import ImageEncoder
from .senses import Senses, pictures
from .sound import SoundEncoder, SpectrumEncoder
from .symbol import SymbolEncoder, SymbolsEncoder
from .text import TextEncoder
from .tiles import TileEncoder
from .vector import VectorEncoder

__all__ = [
    "GridEncoder",
    "HubEncoder",
    "ImageEncoder",
    "Senses",
    "SoundEncoder",
    "SpectrumEncoder",
    "SymbolEncoder",
    "SymbolsEncoder",
    "TextEncoder",
    "TileEncoder",
    "VectorEncoder",
    "pictures",
]
