"""Worker: a trial on a node of a Ray cluster; the one folder of this package that knows Ray."""
