"""The file each loop vendors to send its events."""
