"""Mel spectrograms as librosa makes them, in decibels, as images of a given size.

librosa itself needs numba and LLVM, 200 MB for these few lines. A test holds them against it.
The recipe is that of `labels.ipynb` in the paper's code; numbers are librosa's defaults.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

FRAME = 2048  # samples
TRIM_HOP = 512  # samples between the frames whose loudness is compared
LEAST_POWER = 1e-10  # of what a logarithm is taken
FLOOR = 80.0  # dB below the maximum

Array = NDArray[np.float64]


def trimmed(wave: Array, top_db: float) -> Array:
    """The wave (n,) without silence at both ends, which is `top_db` dB or more below the loudest.

    The loudness is the power of a frame. Ends are cut at multiples of 512 samples.
    """
    powers = (_frames(wave, TRIM_HOP) ** 2).mean(1)
    (loud,) = np.nonzero(_below_maximum(powers) > -top_db)
    return wave[loud[0] * TRIM_HOP : (loud[-1] + 1) * TRIM_HOP]


def mel_spectrogram(
    wave: Array, rate: int = 22050, bands: int = 64, hop: int = 256, fmax: float = 8000
) -> Array:
    """Power (bands, 1 + n // hop) of a wave (n,) with `rate` samples a second, up to `fmax` Hz."""
    from scipy.signal import get_window  # takes a second: at the first spectrogram only

    spectrum = np.fft.rfft(_frames(wave, hop) * get_window("hann", FRAME))
    return mel_filters(rate, bands, fmax) @ (spectrum.real**2 + spectrum.imag**2).T


@cache
def mel_filters(rate: int, bands: int, fmax: float) -> sparse.csr_array:
    """Triangles (bands, 1 + 2048 / 2) over the frequencies of a frame, with area 1 in Hz.

    Their corners are equally far apart on Slaney's mel scale, from 0 Hz to `fmax`. Few weights are
    not 0, and the sums of a sparse array do not depend on a number of threads.
    """
    corners = _hertz(np.linspace(0, _mel(fmax), bands + 2))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    frequencies = np.fft.rfftfreq(FRAME, 1 / rate)
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return sparse.csr_array(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))


def decibels(power: Array) -> Array:
    """The power of any shape in dB below its maximum: from -80 to 0."""
    return np.maximum(_below_maximum(power), -FLOOR)


def resized(image: Array, rows: int, columns: int) -> Array:
    """The image (rows, columns), bilinear, smoothed before where it shrinks.

    This is what `skimage.transform.resize` computes by default: a Gaussian filter whose sigma is
    half of what the factor of shrinking exceeds 1 by, then linear interpolation.
    """
    factors = np.divide(image.shape, (rows, columns))
    smooth = ndimage.gaussian_filter(image, np.maximum(0, (factors - 1) / 2), mode="mirror")
    found: Any = ndimage.zoom(smooth, 1 / factors, order=1, mode="mirror", grid_mode=True)
    return np.asarray(found)


def _frames(wave: Array, hop: int) -> Array:
    """(1 + n // hop, 2048): the frames around each multiple of `hop`, ends mirrored.

    That is librosa 0.7's rule, with which the paper's were made; 0.10 has zeros at the ends.
    """
    padded = np.pad(wave, FRAME // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::hop]


def _below_maximum(power: Array) -> Array:
    floored = np.maximum(power, LEAST_POWER)
    return np.asarray(10 * np.log10(floored / floored.max()))


def _mel(hertz: float) -> float:
    """On Slaney's scale: 3 mel in 200 Hz up to 1,000 Hz, above it 27 mel for a factor of 6.4."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000, 6.4)


def _hertz(mel: Array) -> Array:
    """The inverse."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
