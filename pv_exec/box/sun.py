"""How high the sun stands."""


def elevation(unix_s: float, latitude_deg: float, longitude_deg: float) -> float:
    """Degrees above the horizon (geometric, no refraction)."""
    raise NotImplementedError


def phase(elevation_deg: float) -> str:
    """night (< -1°), twilight, day (> +8°)."""
    raise NotImplementedError
