import { contract } from '../mqtt/contract.ts';
import { startNats } from './nats.ts';
import { startRabbitmq } from './rabbitmq.ts';

contract('NATS', startNats);
contract('RabbitMQ', startRabbitmq);
