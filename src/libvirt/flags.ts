/** Flags and sets of libvirt's calls, by libvirt's own names. */

/** `virDomainStatsTypes`. */
export const statsGroup = { state: 1, cpu: 2, balloon: 4, vcpu: 8, interface: 16, block: 32 } as const;
/** `virDomainShutdownFlagValues`; 0 leaves the choice to the hypervisor. */
export const shutdownFlag = { hypervisor: 0, acpi: 1, agent: 2 } as const;
/** `virDomainRebootFlagValues`; 0 leaves the choice to the hypervisor. */
export const rebootFlag = { hypervisor: 0, acpi: 1, agent: 2 } as const;
/** `virDomainDestroyFlags`: graceful fails instead of using SIGKILL; libvirt 9.0 uses it all the same, after 25 s (seen). */
export const destroyFlag = { default: 0, graceful: 1 } as const;

/** `virDomainInterfaceAddressesSource`: what libvirt's own networks gave away, or what the guest's agent says. */
export const addressSource = { lease: 0, agent: 1 } as const;
/** `virDomainXMLFlags` */
export const xmlFlag = { secure: 1, inactive: 2 } as const;
/** `virDomainDefineFlags` */
export const defineValidate = 1;
/** `VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT` */
export const statsNoWait = 1 << 29;
/** `VIR_DOMAIN_AFFECT_LIVE` */
export const affectLive = 1;
/** `virKeycodeSet`: `KEY_*` of Linux's input-event-codes.h. */
export const linuxKeys = 0;
