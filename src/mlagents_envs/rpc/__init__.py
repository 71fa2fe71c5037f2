"""The wire between Python and a Unity player: arrays to bytes and back, the serving and the calling side."""
