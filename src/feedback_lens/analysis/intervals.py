"""Bootstrap intervals."""

import numpy as np
import numpy.typing as npt

Interval = tuple[float | None, float | None]
Draws = npt.NDArray[np.float64]


def draw_weights(units: int, resamples: int, generator: np.random.Generator) -> Draws:
    """How often each unit is drawn in each resample of `units` draws: `(resamples, units)`."""
    weights = generator.multinomial(units, np.full(units, 1 / units), size=resamples)
    return weights.astype(np.float64)


def percentile_interval(draws: Draws) -> Interval:
    """The 2.5th and 97.5th percentile of the draws that are numbers; null without any."""
    known = draws[~np.isnan(draws)]
    if not known.size:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
