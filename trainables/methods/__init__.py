"""Methods: how the network is trained."""
