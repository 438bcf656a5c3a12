# What RR's stand-in suffers only here; its functions are those of the lab.

fault odd-end && patch_ramdisk() { failed 'Nobody has ever said this: sn=1780PDN000000 mac1=525400D53001'; }
fault empty-config && change() { : >"$4"; }
:
