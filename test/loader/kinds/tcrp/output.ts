/** What rploader.sh says, put together from its own strings; blanks and missing line feeds as it has them. */

const esc = String.fromCharCode(27);
const serial = '1780PDN012345';
const mac = '00:11:32:AB:CD:EF';
const bareMac = '001132ABCDEF';

/** Never to be told. */
export const secrets = [serial, mac, bareMac, mac.toLowerCase(), '52:54:00:d5:30:01', '525400d53001'];

export const identity = { sn: serial, mac1: bareMac };

/** Said by ext-manager.sh and build-loader.sh: on a terminal in colours, else without a line feed. */
function said(sign: string, text: string, terminal = false): string {
  return terminal ? `${esc}[1;34m[${sign}]${esc}[0m ${text}\n` : `[${sign}] ${text}`;
}

export const vars = `Rploader Version : 0.9.2.9
Loader source : https://github.com/pocopico/redpill-load.git Loader Branch : develop 
Extensions : redpill-misc
TARGET_PLATFORM       : ds918p
TARGET_VERSION    : 7.1.1
TARGET_REVISION : 42962
SYNOMODEL : ds918p_42962 
MODEL : DS918+ 
Local Cache Folder : /mnt/sda3/auxfiles
DATE Internet : 21102022 Local : 21102022
Checking Internet Access -> OK
`;

export const upgraded = `Performing a full TCRP upgrade
Warning some of your local files will be moved to /home/tc/old/xxxx.20221021
Updating custom_config.json
Updating user_config.json
Updating rploader.sh
Please make sure you are using the latest 1GB img before using backup option
Current /home/tc size is 14M , try to keep it less than 1GB as it might not fit into your image
Should i update the sda with your current files [Yy/Nn]
OK, keeping last status
`;

export const serialMade = `Serial Number for Model = ${serial}
Mac Address for Model DS918+ = ${mac} 
Real Mac Address : 52:54:00:d5:30:01
Notice : realmac option is requested, real mac will be used
Should i update the user_config.json with these values ? [Yy/Nn]`;

export const usbFound = `Machine is VIRTUAL Hypervisor=KVM
Found QEMU USB HARDDRIVE SerialNumber: 1-0000:00:01.0-3
Vendor ID : 0x46f4 Product ID : 0x0001
Should i update the user_config.json with these values ? [Yy/Nn]`;

export const mapped = `Found "00:1f.2 SATA controller: Intel Corporation 82801IR/IO/IH (ICH9R/DO/DH)"
Mapping KVM q35 bogus controller after maxdisks
lspci: -s: Invalid slot number
Found SCSI/HBA "" (0 drives)
Should i update the user_config.json with these values ? [Yy/Nn] Done.
`;

const block = 'Extension name: redpill-virtioPlatforms supported: ds918p_42218 ds918p_42621 ds918p_42962';
export const added = `${vars}Loader sources already downloaded, pulling latest
${said('#', 'Adding new extension from URL... ')}[OK]${block}`;
export const addedTerminal = `${vars}${said('#', 'Adding new extension from URL... [OK]', true)}${block}`;
export const alreadyAdded = `${vars}${said('!', 'Extension is already added (index exists at /home/tc/redpill-load/custom/extensions/pocopico.virtio/pocopico.virtio.json). For more info use "ext-manager.sh info pocopico.virtio"')}*** Process will exit ***`;

/** The middle of every build; `terminal`: in colours. */
const middle = (terminal: boolean) =>
  [
    said('!', 'Extension is already added (index exists at /home/tc/x.json)', terminal),
    '*** Process will exit ***',
    said('#', 'Updating extensions... ', terminal),
    said('#', 'Bundling extensions... [OK]', terminal),
    said('#', 'Packing custom ramdisk layer to /home/tc/custom.gz... [OK]', terminal),
    said('#', 'Generating GRUB config... [OK]', terminal),
    said('#', 'Creating loader image at loader.img... [OK]', terminal),
    said('#', 'Cleaning up... [OK]', terminal),
  ].join('');

export const buildBegins = `${vars}Checking if a newer version exists on the main repo -> Version is current
No extra build option or static specified, using default <static> 
Using static compiled redpill extension
Looking for redpill for : ds918p_42962 
Getting file https://raw.githubusercontent.com/pocopico/rp-ext/main/redpill/releases/redpill-4.4.180plus-ds918p.tgz
Starting loader creation 
Checking user_config.json : Done
Removing bundled exts directories
Checking for cached pat file
Could not find pat file locally cached
Downloading pat file from URL : https://global.download.synology.com/download/DSM/release/7.1.1/42962/DSM_DS918%2B_42962.pat
  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
\r 12  362M   12 44.9M    0     0  11.2M      0  0:00:32  0:00:04  0:00:28 11.2M\r100  362M  100  362M    0     0  11.4M
`;

export const buildEnds = `
Mounting /dev/sda1 to localdiskp1 
Creating tinycore entry
Entries in Localdisk bootloader : 
menuentry 'RedPill DS918+ v7.1.1-42962 (USB, Verbose)' {
menuentry 'RedPill DS918+ v7.1.1-42962 (SATA, Verbose)' {
menuentry 'Tiny Core Image Build' {
Updated user_config with USB Command Line : sn=${serial} mac1=${bareMac} netif_num=1 vid=0x46f4 pid=0x0001 withefi
Updated user_config with SATA Command Line : sn=${serial} mac1=${bareMac} synoboot_satadom=1 SataPortMap=12 DiskIdxMap=1000
Cleaning up files
Caching files for future use
Found /home/tc/DSM_DS918%2B_42962.pat, copying to cache directory : /mnt/sda3/auxfiles
Saving user session for future use. Saving current extensions  -> OK !
Saving current user_config.json  -> OK !
`;

export const built = `${buildBegins}${middle(false)}${buildEnds}`;
export const builtTerminal = `${buildBegins}${middle(true)}${buildEnds}`;

/** Of a build that goes on as if nothing were the matter. */
export const unmounted = `${buildBegins}${middle(false)}
ERROR: Failed to mount correctly all required partitions
${buildEnds}`;

export const noRecipe = `${buildBegins}${said('#', 'Updating extensions... ')}${said('-', 'The extension pocopico.virtio was found. However, the extension index has no recipe for ds918p_64570 platform')}${said('!', 'Cannot continue due to previous errors (see above)')}*** Process will exit ***${said('!', 'Failed to update all extensions for ds918p_64570 platform')}*** Process will exit ***
FAILED : Loader creation failed check the output for any errors
`;

export const saved = `Please make sure you are using the latest 1GB img before using backup option
Current /home/tc size is 14M , try to keep it less than 1GB as it might not fit into your image
Should i update the sda with your current files [Yy/Nn]Backing up home files to sda : 
`;

export const userConfig = JSON.stringify(
  { general: { model: 'DS918+' }, extra_cmdline: { ...identity, netif_num: '1' }, synoinfo: {} },
  null,
  2,
);
