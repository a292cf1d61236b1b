"""Learning rate schedules."""

from collections.abc import Callable

import numpy as np

# Fraction of the steps in which "one_cycle" increases, and fraction of the learning
# rate at its start. Both are the defaults of PyTorch's OneCycleLR.
_RISE = 0.3
_START = 1 / 25


def _cosine(progress: np.ndarray) -> np.ndarray:
    return (1 + np.cos(np.pi * progress)) / 2


def _one_cycle(progress: np.ndarray) -> np.ndarray:
    rise = 1 - (1 - _START) * _cosine(progress / _RISE)
    fall = _cosine((progress - _RISE) / (1 - _RISE))
    return np.where(progress < _RISE, rise, fall)


# Functions from the progress of a fit, in [0, 1), to a fraction of the learning rate.
_SCHEDULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}


def learning_rates(
    schedule: str, learning_rate: float, n_steps: int
) -> np.ndarray | None:
    """Return the learning rate of each step of a fit, or None if it is constant.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one_cycle"}
        "cosine" decreases to zero [1]_. "one_cycle" increases before it decreases [2]_.
    learning_rate : float
        The maximum.
    n_steps : int
        Number of steps of the fit.

    Returns
    -------
    learning_rates : ndarray of shape (n_steps,), or None

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter. "SGDR: Stochastic Gradient Descent with Warm
       Restarts". ICLR 2017. One cosine, without restarts.
    .. [2] L. N. Smith, N. Topin. "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates". arXiv:1708.07120, 2018.
    """
    if schedule == "constant":
        return None
    # The middle of each step, so that neither the first nor the last rate is zero.
    progress = (np.arange(n_steps) + 0.5) / n_steps
    return learning_rate * _SCHEDULES[schedule](progress)
