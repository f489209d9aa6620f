"""The causes for which a figure of ours can differ from the paper's, in the words of the page."""

SAMPLE_DATA = "sample data"
OTHER_CONVERSATIONS = "other conversations"
OTHER_ANNOTATORS = "other annotators"
OTHER_DETECTOR = "other detector"
OTHER_REGENERATOR = "other regenerator"
OTHER_REWARD_MODEL = "other reward model"
OTHER_RATER = "other rater"
OTHER_SCORER = "other scorer"
OTHER_METHOD = "other method"
OTHER_MODELS = "other models"
OTHER_JUDGE = "other judge"
FEWER_SEEDS = "fewer seeds"
NOT_RUN = "not run"
DRAWN = "paper prints no numbers"
UNREADABLE = "unreadable in the source"
CAUSES = (
    SAMPLE_DATA,
    OTHER_CONVERSATIONS,
    OTHER_ANNOTATORS,
    OTHER_DETECTOR,
    OTHER_REGENERATOR,
    OTHER_REWARD_MODEL,
    OTHER_RATER,
    OTHER_SCORER,
    OTHER_METHOD,
    OTHER_MODELS,
    OTHER_JUDGE,
    FEWER_SEEDS,
    NOT_RUN,
    DRAWN,
    UNREADABLE,
)
