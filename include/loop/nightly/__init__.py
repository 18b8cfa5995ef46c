"""From the images of a day to the labels that people gave to some of them."""
