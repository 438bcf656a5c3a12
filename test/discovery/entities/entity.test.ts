import { expect, test } from 'vitest';
import { info, state, stateObject, stats } from '../../../src/discovery/entities/entity.ts';

test('a path leads to a value of its document, or does not compile', () => {
  expect(stats('disks', 'sda', 'errors')).toEqual({ topic: 'stats', path: ['disks', 'sda', 'errors'] });
  // @ts-expect-error
  stats('disks', 'sda', 'eror');
  // @ts-expect-error
  stats('disks', 'sda');
  // @ts-expect-error
  stats('cpu', 'percent', 'x');
  // @ts-expect-error
  state('stae');
  // @ts-expect-error
  state('last_stop');
  // @ts-expect-error
  info('libvirt', 'down');
  // @ts-expect-error
  stateObject('state');
});
