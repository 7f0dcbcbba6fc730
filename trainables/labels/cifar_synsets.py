"""The WordNet synset of each class of CIFAR-10 and CIFAR-100."""

# "leopard.n.02" is the second sense of the noun leopard. Each was chosen by its gloss and by the
# superclass in CIFAR-100; a comment stands where another sense would have been as natural.
CIFAR10 = {
    "airplane": "airplane.n.01",
    "automobile": "automobile.n.01",
    "bird": "bird.n.01",
    "cat": "cat.n.01",
    "deer": "deer.n.01",
    "dog": "dog.n.01",
    "frog": "frog.n.01",
    "horse": "horse.n.01",
    "ship": "ship.n.01",
    "truck": "truck.n.01",
}


CIFAR100 = {
    # aquatic mammals
    "beaver": "beaver.n.07",
    "dolphin": "dolphin.n.02",
    "otter": "otter.n.02",
    "seal": "seal.n.09",
    "whale": "whale.n.02",
    # fish
    "aquarium_fish": "goldfish.n.01",  # no noun of WordNet; its gloss: "pond or aquarium fishes"
    "flatfish": "flatfish.n.02",
    "ray": "ray.n.07",
    "shark": "shark.n.01",
    "trout": "trout.n.02",
    # flowers
    "orchid": "orchid.n.01",
    "poppy": "poppy.n.01",
    "rose": "rose.n.01",
    "sunflower": "sunflower.n.01",
    "tulip": "tulip.n.01",
    # food containers
    "bottle": "bottle.n.01",
    "bowl": "bowl.n.01",
    "can": "can.n.01",
    "cup": "cup.n.01",
    "plate": "plate.n.04",
    # fruit and vegetables: what is eaten, not the plant that bears it
    "apple": "apple.n.01",
    "mushroom": "mushroom.n.05",
    "orange": "orange.n.01",
    "pear": "pear.n.01",
    "sweet_pepper": "sweet_pepper.n.02",
    # household electrical devices
    "clock": "clock.n.01",
    "keyboard": "computer_keyboard.n.01",
    "lamp": "lamp.n.02",  # the piece of furniture, not any source of light
    "telephone": "telephone.n.01",
    "television": "television.n.03",  # the set
    # household furniture
    "bed": "bed.n.01",
    "chair": "chair.n.01",
    "couch": "couch.n.01",
    "table": "table.n.02",
    "wardrobe": "wardrobe.n.01",
    # insects
    "bee": "bee.n.01",
    "beetle": "beetle.n.01",
    "butterfly": "butterfly.n.01",
    "caterpillar": "caterpillar.n.01",
    "cockroach": "cockroach.n.01",
    # large carnivores
    "bear": "bear.n.01",
    "leopard": "leopard.n.02",
    "lion": "lion.n.01",
    "tiger": "tiger.n.02",
    "wolf": "wolf.n.01",
    # large man-made outdoor things
    "bridge": "bridge.n.01",
    "castle": "castle.n.02",  # the fortified one; the first sense is a mansion
    "house": "house.n.01",
    "road": "road.n.01",
    "skyscraper": "skyscraper.n.01",
    # large natural outdoor scenes
    "cloud": "cloud.n.02",  # in the sky, not any collection of particles
    "forest": "forest.n.02",  # the land, like plain and mountain, not the trees as a group
    "mountain": "mountain.n.01",
    "plain": "plain.n.01",
    "sea": "sea.n.01",
    # large omnivores and herbivores
    "camel": "camel.n.01",
    "cattle": "cattle.n.01",
    "chimpanzee": "chimpanzee.n.01",
    "elephant": "elephant.n.01",
    "kangaroo": "kangaroo.n.01",
    # medium-sized mammals
    "fox": "fox.n.01",
    "porcupine": "porcupine.n.01",
    "possum": "possum.n.01",  # the American one; the second sense is the Australian phalanger
    "raccoon": "raccoon.n.02",
    "skunk": "skunk.n.04",
    # non-insect invertebrates
    "crab": "crab.n.01",
    "lobster": "lobster.n.02",
    "snail": "snail.n.01",
    "spider": "spider.n.01",
    "worm": "worm.n.01",
    # people
    "baby": "baby.n.01",
    "boy": "boy.n.01",
    "girl": "girl.n.02",  # the child; the first sense is a kind of woman
    "man": "man.n.01",
    "woman": "woman.n.01",
    # reptiles
    "crocodile": "crocodile.n.01",
    "dinosaur": "dinosaur.n.01",
    "lizard": "lizard.n.01",
    "snake": "snake.n.01",
    "turtle": "turtle.n.02",
    # small mammals
    "hamster": "hamster.n.01",
    "mouse": "mouse.n.01",
    "rabbit": "rabbit.n.01",
    "shrew": "shrew.n.02",
    "squirrel": "squirrel.n.01",
    # trees
    "maple_tree": "maple.n.02",
    "oak_tree": "oak_tree.n.01",
    "palm_tree": "palm_tree.n.01",
    "pine_tree": "pine_tree.n.01",
    "willow_tree": "willow_tree.n.01",
    # vehicles 1
    "bicycle": "bicycle.n.01",
    "bus": "bus.n.01",
    "motorcycle": "motorcycle.n.01",
    "pickup_truck": "pickup_truck.n.01",
    "train": "train.n.01",
    # vehicles 2
    "lawn_mower": "lawn_mower.n.01",
    "rocket": "rocket.n.01",
    "streetcar": "streetcar.n.01",
    "tank": "tank.n.01",  # the armoured vehicle
    "tractor": "tractor.n.01",
}
