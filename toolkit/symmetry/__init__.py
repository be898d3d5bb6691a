"""Symmetries of learned Koopman dynamics: what commutes with them, and shifts along it."""

from toolkit.symmetry.bilinear import (
    BilinearOperator as BilinearOperator,
    KoopmanForward as KoopmanForward,
)
from toolkit.symmetry.core import SpectralCore as SpectralCore
from toolkit.symmetry.generators import (
    GENERATORS as GENERATORS,
    Generator as Generator,
    commuting_basis as commuting_basis,
)
from toolkit.symmetry.interface import AbstractKoopmanCore as AbstractKoopmanCore
