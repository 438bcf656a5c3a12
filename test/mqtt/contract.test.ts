import { startAedes } from './aedes.ts';
import { contract } from './contract.ts';

contract('aedes, in process', startAedes);
