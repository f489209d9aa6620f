"""How well the local scorer tells rude messages from others: cross-validated, over many shuffles.

`python benchmarks/toxicity.py`: tenfold cross-validation on data/toxicity_examples.csv, shuffled
anew for each of 20 seeds, of the scorer's head and of words alone (TF-IDF), fitted on the same.
"""

import os
import sys
from statistics import mean

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}

import numpy as np
import numpy.typing as npt
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from loopback import PROJECT, write_result

sys.path.insert(0, str(PROJECT / "src"))

from feedback_lens.feedback.local.embedding import embed
from feedback_lens.moderation.local import read_examples

SEEDS = range(1, 21)


def evaluate(model: object, inputs: object, toxic: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
    """Mean, least and greatest over the seeds: area under the ROC curve, and shares above 0.5."""
    found: dict[str, list[float]] = {"auc": [], "rude_above_half": [], "others_above_half": []}
    for seed in SEEDS:
        folds = StratifiedKFold(10, shuffle=True, random_state=seed)
        scores = cross_val_predict(model, inputs, toxic, cv=folds, method="predict_proba")[:, 1]
        found["auc"].append(float(roc_auc_score(toxic, scores)))
        found["rude_above_half"].append(float((scores[toxic] > 0.5).mean()))
        found["others_above_half"].append(float((scores[~toxic] > 0.5).mean()))
    return {
        name: [round(value, 3) for value in (mean(values), min(values), max(values))]
        for name, values in found.items()
    }


def main() -> None:
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())["score_toxicity"]
    examples = read_examples(PROJECT / "data/toxicity_examples.csv")
    texts, toxic = [text for text, _ in examples], np.array([toxic for _, toxic in examples])
    head = LogisticRegression(C=settings["regularization"], max_iter=1000)
    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=16))
    result = {
        "examples": len(texts),
        "rude": int(toxic.sum()),
        "embeddings": evaluate(head, embed(texts, "embed examples"), toxic),
        "words": evaluate(words, texts, toxic),
    }
    write_result("toxicity", result)


if __name__ == "__main__":
    main()
