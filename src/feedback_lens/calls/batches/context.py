import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from feedback_lens.calls.batches.awaited import Awaited
from feedback_lens.calls.batches.database import Database
from feedback_lens.calls.batches.log import BatchLog
from feedback_lens.calls.batches.losses import Losses, Patience
from feedback_lens.calls.batches.owner import Owner
from feedback_lens.calls.batches.server import BatchServer
from feedback_lens.calls.budget import Budget
from feedback_lens.calls.request import Request
from feedback_lens.calls.settings import read_endpoint_settings, read_setting
from feedback_lens.calls.store import ResponseStore


@dataclass(frozen=True)
class Context:
    """What the parts of the batch provider share.

    `folder` is where temporary files lie; `pause` is the seconds between two looks at a batch, and
    `patience` the seconds for which trouble with the server is borne.
    """

    purpose: str
    budget: Budget
    folder: Path
    pause: float
    patience: float
    server: BatchServer
    store: ResponseStore
    database: Database
    owner: Owner
    log: BatchLog
    awaited: Awaited
    losses: Losses

    def close(self) -> None:
        """Close files and connections, and let others take over what is open."""
        self.database.close()
        self.owner.close()
        self.store.close()
        self.server.close()

    def be_patient(self) -> Patience:
        """A new patience, that has borne nothing yet."""
        return Patience(self.purpose, self.patience, self.say)

    def lose(self, requests: list[Request], words: str) -> None:
        """Give requests up, which all met the same."""
        for request in requests:
            self.budget.release(request)
        self.awaited.remove([request.key for request in requests])
        if requests:
            self.losses.note(words, len(requests))

    def say(self, text: str) -> None:
        """Show the user a line, which leaves progress bars whole."""
        tqdm.write(f"{self.purpose}: {text}", file=sys.stderr)


def open_context(purpose: str, store_path: Path, budget: Budget) -> Context:
    """Open the store's file and the server that the environment names.

    Raises:
        InputError: a variable cannot be read, or the file is no store.
    """
    pause = read_setting("FEEDBACK_LENS_POLL", 30, 0.01)
    patience = read_endpoint_settings().total_timeout
    server = BatchServer()
    # creates the folder and the file
    store = ResponseStore(store_path)
    database, owner = Database(store_path), Owner(store_path)
    return Context(
        purpose=purpose,
        budget=budget,
        folder=store_path.parent,
        pause=pause,
        patience=patience,
        server=server,
        store=store,
        database=database,
        owner=owner,
        log=BatchLog(database, server.endpoint, purpose, owner.name),
        awaited=Awaited(database, server.endpoint),
        losses=Losses(purpose),
    )
