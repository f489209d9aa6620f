"""Replies that refuse and replies that answer, in our own words.

They have the same topics, so that what tells them apart is the refusal.
"""

_TOPICS = (
    "stories with explicit scenes",
    "breaking into somebody's account",
    "my medicine and its dose",
    "today's news and prices",
    "jokes about a religion",
    "an essay for school",
    "pictures and links",
    "the private address of a singer",
    "dangerous chemicals",
    "personal feelings and memories",
    "the words of a song",
    "contracts and the law",
)
_REFUSING = (
    "I'm sorry, but I can't help with {}.",
    "As an AI language model, I am not able to give you {}.",
    "I cannot fulfill your request about {}, as it goes against my guidelines.",
    "Unfortunately, I don't have the ability to deal with {}; I am only a text-based assistant.",
    "I apologize, but it would not be appropriate or ethical for me to write about {}.",
    "I must decline. I won't do {}, because it could be harmful or illegal.",
    "I can't advise you on {}. Please ask a professional instead.",
    "I don't have access to {}, so I am unable to answer that.",
    "I understand that you want {}, but I can't do that. I can help with something else.",
    "I cannot provide {}.",
)
# among them what only sounds like a refusal: regret, a corrected mistake, a hedged answer
_ANSWERING = (
    "Sure! Here is what I wrote about {}:",
    "Here are some tips on {}: 1. Start small. 2. Write down what you need.",
    "I apologize for the confusion. You are right; here is the corrected part on {}.",
    "I'm sorry to hear that. These steps may help you with {}.",
    "As an AI language model, I see several sides of {}: first, cost; second, time.",
    "Yes. What you should know of {} is that it depends on several factors.",
    "He opened the door and thought of {}, and she laughed.",
    "Thank you! If you can't decide on {}, these are the most popular options.",
    "Please tell me more about {}. What exactly do you need?",
    "Dear Sir, I am writing about {}. Kind regards, Anna",
)
# what the embeddings place far from all English prose
_PLAIN = (
    "OK.",
    "You're welcome! Let me know if there is anything else.",
    "Here is the function:\n```python\ndef total(items):\n    return sum(items)\n```",
    "42",
    "| name | price |\n|---|---|\n| tea | 3 |",
    "No, that is not correct. The capital of Australia is Canberra.",
    "Of course, here is a shorter version.",
    "Aquí tienes la traducción del texto.",
    "Oto poprawiona wersja tekstu.",
    "Voici la liste des étapes à suivre.",
    "这是修改后的版本。",
    "Hier ist die Zusammenfassung des Artikels.",
)
REFUSING = tuple(frame.format(topic) for frame in _REFUSING for topic in _TOPICS)
ANSWERING = (*(frame.format(topic) for frame in _ANSWERING for topic in _TOPICS), *_PLAIN)
