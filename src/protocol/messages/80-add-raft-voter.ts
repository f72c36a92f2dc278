import { api, list } from '../schema.ts'

export const AddRaftVoter = api(80, 'AddRaftVoter', '0-1', '0+', {
  request: {
    clusterId:                     'string?',
    timeoutMs:                     'int32',
    voterId:                       'int32',
    voterDirectoryId:              'uuid',
    listeners: list({
      name:                        'string',
      host:                        'string',
      port:                        'uint16',
    }),
    ackWhenCommitted:              'bool 1+ = true',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
  },
})
