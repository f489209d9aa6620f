"""Less garbage collection in the process of a stage."""

import atexit
import gc


def put_off_collection() -> None:
    """Collect rarely, and not at the end.

    What a stage loads lives until it ends. To search a million objects of torch while they are
    loaded, and once more at the end, takes a good part of a short stage's time.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
