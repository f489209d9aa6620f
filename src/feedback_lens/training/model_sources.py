"""Models from the hub or a folder, made ready for the pipeline: with a chat template and a card."""

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from feedback_lens.errors import InputError
from feedback_lens.tables import write_json
from feedback_lens.training.checkpoints import (
    CARD,
    find_missing_shards,
    hash_file,
    replaced_folder,
)
from feedback_lens.training.hub import (
    choose_download_folder,
    choose_files,
    download,
    take_files,
)
from feedback_lens.training.pickled_weights import convert_pickled_weights

OWN = "own"
# the token that ends a reply under each chat template
REPLY_ENDS = {"mistral": "</s>", "vicuna": "</s>", "chatml": "<|im_end|>"}
CHAT_TEMPLATES = (*REPLY_ENDS, OWN)

_POINTER = b"version https://git-lfs.github.com/spec/"
_TEMPLATE_FOLDER = Path(__file__).parent / "chat_templates"


def fetch_model(
    source: str, revision: str | None, chat_template: str, folder: Path
) -> dict[str, Any]:
    """Write a model's folder, whole or not at all, and return its card.

    Args:
        source: a folder (copied), or a model of the hub (`owner/name`).
        revision: the hub's commit; of a folder null.
        chat_template: one of `CHAT_TEMPLATES`; `own` is the model's own.
        folder: what takes the place of anything there.

    Returns:
        The card, written beside the model: `source`, `revision`, `commit` (null of a folder),
        `chat_template` and `files`, each file's `bytes` and `sha256` as they came. Pickled weights
        are converted to safetensors afterwards.

    Raises:
        InputError: the model cannot be had, is not whole, or does not suit the chat template, or
            a folder's revision is not null.
    """
    if revision is not None and Path(source).is_dir():
        raise InputError(
            f"{source}: a folder has no revision {revision!r}; set `revision` to null, or name a "
            "model of the hub"
        )
    _check_name(source, revision)
    growing = None if Path(source).is_dir() else choose_download_folder(source, revision)
    commit = download(source, revision, growing) if growing else None
    with replaced_folder(folder) as temporary:
        if growing:
            take_files(growing, temporary)
        else:
            _copy(Path(source), temporary)
        _check_files(temporary, source)
        card = {
            "source": source,
            "revision": revision,
            "commit": commit,
            "chat_template": chat_template,
            "files": {path.name: _describe(path) for path in sorted(temporary.iterdir())},
        }
        convert_pickled_weights(temporary, source)
        set_chat_template(temporary, chat_template, source)
        write_json(card, temporary / CARD)
    if growing:
        shutil.rmtree(growing)
    return card


def set_chat_template(folder: Path, name: str, source: str) -> None:
    """Put the named chat template into a model's folder and let its replies end as it says.

    A base model's own end-of-sequence token is often not the one that ends a reply (Qwen1.5 ends a
    text in `<|endoftext|>`): generation would run on behind every reply it was taught.

    Raises:
        InputError: the tokenizer cannot be read, has no template of its own, or lacks the token
            in which the replies of the named template end.
    """
    if name != OWN:
        template = folder / "chat_template.jinja"
        template.unlink(missing_ok=True)
        shutil.copyfile(_TEMPLATE_FOLDER / f"{name}.jinja", template)
    tokenizer = _read_tokenizer(folder, source)
    if tokenizer.chat_template is None:
        raise InputError(
            f"{source}: the tokenizer has no chat template of its own; set chat_template to one of "
            f"{', '.join(REPLY_ENDS)}"
        )
    if name != OWN:
        _end_replies(folder, tokenizer, REPLY_ENDS[name], f"{source}: chat_template {name}")


def _check_name(source: str, revision: str | None) -> None:
    if Path(source).is_dir():
        return
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise InputError(
            f"{source}: no such folder, and a model of the hub is named `owner/name`; correct "
            "`source`"
        )
    if revision is None:
        raise InputError(
            f"{source}: no such folder; correct `source`, or, for a model of the hub, set "
            "`revision` to a commit, 40 hex digits"
        )


def _check_files(folder: Path, source: str) -> None:
    """Refuse a clone without its large files, and weights that lack a part of them."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise InputError(
                    f"{source}: {path.name} is a pointer of Git LFS, not the file; run "
                    "`git lfs pull` there"
                )
    try:
        missing = find_missing_shards(folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{source}: the index of its weights (*.index.json) cannot be read ({error!r}); copy "
            "it anew"
        ) from error
    if missing:
        raise InputError(
            f"{source}: the index of its weights names {', '.join(missing)}, not there; copy the "
            "model whole"
        )


def _copy(source: Path, target: Path) -> None:
    # no second names of the user's files: DVC makes those of its outs read-only
    for name in choose_files((path.name for path in source.iterdir()), str(source)):
        shutil.copyfile(source / name, target / name)


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def _read_tokenizer(folder: Path, source: str) -> Any:
    from transformers import AutoTokenizer

    is_converted = (folder / "tokenizer.json").exists() or not (folder / "tokenizer.model").exists()
    if not is_converted and find_spec("sentencepiece") is None:
        raise InputError(f"{source}: to read tokenizer.model, `pip install sentencepiece`")
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{source}: its tokenizer cannot be read ({error}); name a source that has one"
        ) from error


def _end_replies(folder: Path, tokenizer: Any, end: str, where: str) -> None:
    if end not in tokenizer.get_vocab():
        raise InputError(
            f"{where}: the tokenizer has no token {end}, which ends a reply; take another template"
        )
    if tokenizer.eos_token == end:
        return
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            _rewrite(folder / name, _read(folder / name) | {"eos_token": end})
    settings = _read(folder / "generation_config.json")
    known = settings.get("eos_token_id", _read(folder / "config.json").get("eos_token_id"))
    ends = [known] if isinstance(known, int) else known or []
    ids = [tokenizer.convert_tokens_to_ids(end), *ends]
    _rewrite(folder / "generation_config.json", settings | {"eos_token_id": ids})


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def _rewrite(path: Path, content: dict[str, Any]) -> None:
    # by a new file: the name may be a second one of a download's
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
