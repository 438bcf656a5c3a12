import { contract } from './contract.ts';
import { startMosquitto } from './mosquitto.ts';

contract('Mosquitto', startMosquitto);
