import { api } from '../schema.ts'

export const RemoveRaftVoter = api(81, 'RemoveRaftVoter', '0', '0+', {
  request: {
    clusterId:                     'string?',
    voterId:                       'int32',
    voterDirectoryId:              'uuid',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16',
    errorMessage:                  'string?',
  },
})
