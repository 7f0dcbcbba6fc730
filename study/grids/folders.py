"""The papers' data sets that are folders of images, each with how many images it must have."""

from typing import Any

from trainables.data.sources.image_folder import ImageFolder
from trainables.data.sources.image_lists import ImageLists
from trainables.data.sources.split_lists import SplitLists
from trainables.settings import Use


def folder(path: str, classes: int, images: int, test_images: int, **settings: Any) -> Use:
    """A folder with so many classes, training and test images."""
    sizes = {"classes": classes, "images": images, "test_images": test_images}
    return Use(ImageFolder, path=path, **sizes, **settings)


IMAGENET = folder("imagenet", 1000, 1_281_167, 50_000, side=224, resize=256, turn=8)
# All 100 classes with 500 training images each: the few-shot split has disjoint classes.
MINI_IMAGENET = folder("mini-imagenet", 100, 50_000, 10_000, side=84, resize=96, turn=4)
# The same from the lists of Ravi & Larochelle, which split the classes: all three together.
MINI_IMAGENET_LISTS = Use(
    ImageLists,
    path="mini-imagenet",
    lists=("train.csv", "val.csv", "test.csv"),
    side=84,
    resize=96,
    classes=100,
    per_class=500,
    test_per_class=100,
    names="wordnet",
    turn=12,
)
SMALL_IMAGENET = folder("small-imagenet", 200, 100_000, 10_000, side=64, resize=72, turn=5)
CUB_448 = folder("CUB_200_2011", 200, 5994, 5794, side=448, resize=512)

SQUASHED: dict[str, Any] = {"side": 224, "resize": 256, "fit": "squash"}  # as OLS's public script
CUB = folder("CUB_200_2011", 200, 5994, 5794, **SQUASHED)
FLOWERS = folder("flowers-102", 102, 2040, 6149, **SQUASHED, turn=9)
CARS = folder("stanford-cars", 196, 8144, 8041, **SQUASHED, turn=10)
AIRCRAFT = folder("fgvc-aircraft", 100, 6667, 3333, **SQUASHED, turn=11)


def tail(path: str, name: str, classes: int, images: int, clean: int, test: int, turn: int) -> Use:
    """One of the long tails of Liu et al. (CVPR 2019), whose lists lie beside the images."""
    files = {"train": "train", "meta": "val", "test": "test"}
    lists = {part: (f"{name}_{file}.txt",) for part, file in files.items()}
    sizes = {"classes": classes, "images": images, "meta_images": clean, "test_images": test}
    return Use(SplitLists, path=path, **lists, **sizes, side=224, resize=256, turn=turn)


IMAGENET_LT = tail("imagenet", "ImageNet_LT", 1000, 115_846, 20_000, 50_000, turn=13)
PLACES_LT = tail("places365", "Places_LT", 365, 62_500, 7300, 36_500, turn=14)

CLOTHING = Use(
    SplitLists,
    path="clothing1m",
    train=("noisy_train_key_list.txt", "noisy_label_kv.txt"),
    meta=("clean_val_key_list.txt", "clean_label_kv.txt"),
    test=("clean_test_key_list.txt", "clean_label_kv.txt"),
    **SQUASHED,
    classes=14,
    images=1_000_000,
    meta_images=14_313,
    test_images=10_526,
    names=(
        *("T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker"),
        *("Jacket", "Down Coat", "Suit", "Shawl", "Dress", "Vest", "Underwear"),
    ),
    turn=15,
)
