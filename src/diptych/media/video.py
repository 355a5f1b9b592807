"""Video files in and out, as streams of frames with exact times. The door to this room's video half."""

from diptych.media.decode import TimedFrame, VideoInfo, frame_times, probe, read_clip, read_frames
from diptych.media.encode import VideoWriter, check_suffix, write_clip

__all__ = [
    "TimedFrame",
    "VideoInfo",
    "VideoWriter",
    "check_suffix",
    "frame_times",
    "probe",
    "read_clip",
    "read_frames",
    "write_clip",
]
