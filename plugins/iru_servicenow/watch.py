"""When the device flow runs: by the clock for the whole fleet, and in between when devices have changed."""

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from include.inventory.settings import Settings
from iru_servicenow.triggers.device_changes import DeviceChangeTrigger

Schedule = AssetOrTimeSchedule | str | None


def devices_schedule(settings: Settings) -> Schedule:
    """Return the schedule of a pair's device flow; without a cron, or with watching switched off, only what is left."""
    if settings.devices_schedule is None or not settings.watches:
        return settings.devices_schedule
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(settings.devices_schedule, timezone="UTC"), assets=[device_changes(settings)]
    )


def device_changes(settings: Settings) -> Asset:
    """Return the asset that has an event whenever devices changed in a pair's tenant."""
    watcher = AssetWatcher(name=settings.named("iru_device_watcher"), trigger=DeviceChangeTrigger(settings.pair))
    return Asset(name=settings.named("iru_device_changes"), group="iru", watchers=[watcher])
