/** The numbers of libvirt-domain.h that the fake speaks in. */

export const state = { running: 1, paused: 3, shutdown: 4, shutoff: 5, crashed: 6, pmsuspended: 7 } as const;

export const reason = {
  running: { booted: 1, unpaused: 5, wakeup: 8 },
  paused: { user: 1, ioError: 5 },
  shutdown: { unknown: 0 },
  shutoff: { unknown: 0, shutdown: 1, destroyed: 2, migrated: 4, crashed: 3 },
  crashed: { panicked: 1 },
  pmsuspended: { unknown: 0 },
} as const;

/** `virDomainEventType` and its detail. */
export const lifecycle = {
  definedAdded: [0, 0],
  definedUpdated: [0, 1],
  definedRenamed: [0, 2],
  undefinedRemoved: [1, 0],
  undefinedRenamed: [1, 1],
  startedBooted: [2, 0],
  startedWakeup: [2, 4],
  suspendedPaused: [3, 0],
  suspendedIoError: [3, 2],
  resumedUnpaused: [4, 0],
  stoppedShutdown: [5, 0],
  stoppedDestroyed: [5, 1],
  stoppedMigrated: [5, 3],
  stoppedFailed: [5, 5],
  shutdownGuest: [6, 1],
  shutdownHost: [6, 2],
  pmsuspendedMemory: [7, 0],
  crashedPanicked: [8, 0],
} as const;
