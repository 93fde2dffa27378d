"""Models of digits: classifiers, convolutional and dense autoencoders."""
