"""Running trials on Ray: the cluster, the queue, the watch."""
